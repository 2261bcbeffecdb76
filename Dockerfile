# The command in an image of its own: no shell is needed, and it does not run as root. It is built from the wheel that a
# release has tested, which lies in dist/:  docker build --tag reconciler .
#
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" -e PIPES_TOKEN reconciler plan
#
# With `--user`, since plans, the lock file and the journal are written into /work.
FROM python:3.12-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254 AS build
COPY dist/*.whl /tmp/
RUN python -m venv /opt/reconciler \
    && for wheel in /tmp/*.whl; do \
        /opt/reconciler/bin/python -m pip install --no-cache-dir --disable-pip-version-check "${wheel}[sandbox,html]"; done \
    && /opt/reconciler/bin/python -m pip uninstall --yes pip

FROM python:3.12-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254
# `review` and `--applied` read git's objects, also in a mounted repository that belongs to another user. Its version is the
# newest of the Debian that the digest names.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    && git config --system safe.directory /work \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin reconciler
COPY --from=build /opt/reconciler /opt/reconciler
ENV PYTHONDONTWRITEBYTECODE=1
USER 10001
WORKDIR /work
ENTRYPOINT ["/opt/reconciler/bin/reconciler"]
