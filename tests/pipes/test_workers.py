"""Threads that read side by side: callbacks one at a time, nothing lost, nothing after the end."""

import subprocess
import sys
import threading
from queue import SimpleQueue

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.errors import PipesError
from reconciler.pipes import workers as workers_module
from reconciler.pipes.workers import Workers

# how many jobs each job asks for, level by level
plans = st.lists(st.integers(0, 6), min_size=1, max_size=4)


@given(plans=plans, threads=st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_each_result_is_taken_once_and_by_one_thread_at_a_time(plans, threads):
    at_once, most, taken = 0, 0, []
    with Workers(threads) as workers:

        def ask(level, name):
            workers.submit(lambda: name, lambda found: take(level, found))

        def take(level, name):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            taken.append(name)
            if level + 1 < len(plans):
                for child in range(plans[level + 1]):
                    ask(level + 1, (*name, child))
            at_once -= 1

        for first in range(plans[0]):
            ask(0, (first,))
        workers.run()
        want, level = [], [(first,) for first in range(plans[0])]
        for more in [*plans[1:], 0]:
            want += level
            level = [(*name, child) for name in level for child in range(more)]
        assert sorted(taken) == sorted(want)
        assert most <= 1
        # and again: what was under way before leaves no trace
        ask(len(plans), ("again",))
        workers.run()
        assert taken[-1] == ("again",)


def test_nothing_is_taken_before_the_caller_waits_for_it():
    done, taken = threading.Event(), []
    with Workers(2) as workers:
        workers.submit(lambda: done.set() or "first", taken.append)
        assert done.wait(20)
        before = list(taken)
        workers.submit(lambda: "second", taken.append)
        workers.run()
    assert before == []
    assert sorted(taken) == ["first", "second"]


def test_a_failed_read_is_handed_to_its_callback():
    taken = []

    def fail():
        raise PipesError("no answer")

    with Workers(3) as workers:
        workers.submit(fail, taken.append)
        workers.run()
    assert [str(error) for error in taken] == ["no answer"]


@pytest.mark.parametrize("where", ["work", "callback"])
def test_an_unexpected_error_is_raised_to_the_caller_and_nothing_is_taken_after_it(where):
    taken = []
    both_ended = threading.Event()

    def fail(*_):
        raise ZeroDivisionError(where)

    with Workers(1) as workers:
        workers.submit(fail if where == "work" else lambda: None, taken.append if where == "work" else fail)
        workers.submit(lambda: "next", taken.append)
        workers.submit(both_ended.set, taken.append)
        assert both_ended.wait(20)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match=where):
                workers.run()
    assert taken == []


def test_nothing_is_taken_once_the_reading_was_left():
    entered, gate, ended = threading.Event(), threading.Event(), threading.Event()
    taken = []

    def slow():
        entered.set()
        gate.wait(20)
        return "late"

    with Workers(1) as workers:
        workers.submit(slow, taken.append)
        workers.submit(ended.set, taken.append)
        assert entered.wait(20)
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("reading-"):
            thread.join(20)
    assert taken == []
    assert not ended.is_set()


class Interrupted:
    """Raises KeyboardInterrupt in this thread at the nth instruction inside `workers.py`."""

    def __init__(self, at):
        self.left = at

    def __call__(self, frame, event, _arg):
        if frame.f_code.co_filename != workers_module.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def read_until_interrupted(at, ended):
    taken = []
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for one such frame when tracing begins, and not later
    sys.settrace(Interrupted(at))
    try:
        with Workers(2) as workers:
            for number in range(3):
                workers.submit(lambda n=number: n, taken.append)
            workers.run()
        ended.append(sorted(taken) == [0, 1, 2])
    except KeyboardInterrupt:
        ended.append(None)
    finally:
        sys.settrace(None)


def test_an_interruption_at_any_instruction_ends_the_reading():
    at, outcomes = 1, []
    while True not in outcomes:
        thread = threading.Thread(target=read_until_interrupted, args=(at, outcomes), daemon=True)
        thread.start()
        thread.join(30)
        assert not thread.is_alive(), f"it hangs when it is interrupted at instruction {at}"
        at += 1
    assert outcomes[-1] is True
    assert outcomes.count(None) > 50


class Prompt(SimpleQueue):
    """Jobs that are done, and found to be done, before the thread that calls `run` goes on."""

    def __init__(self):
        super().__init__()
        self.asked = threading.Semaphore(0)
        self.begun = False

    def get(self):
        if self.begun:  # asked again: the job before has been looked at
            self.asked.release()
        self.begun = True
        return super().get()

    def put(self, job):
        super().put(job)
        if job and threading.current_thread().name == "caller":
            self.asked.acquire()


def test_what_ended_before_the_wait_began_is_taken():
    taken = []

    def read():
        with Workers(1) as workers:
            workers._tickets = Prompt()
            for number in range(3):
                workers.submit(lambda: None, lambda _, number=number: taken.append(number))
                workers.run()

    caller = threading.Thread(target=read, name="caller", daemon=True)
    caller.start()
    caller.join(60)
    assert (taken, caller.is_alive()) == ([0, 1, 2], False)


# in a process of its own: without the lock it ends by SIGSEGV
DECODING = """
import sys, threading, msgspec
from reconciler.pipes import answers, pages

def read(row, ready, found):
    ready.wait()
    found.append(answers.decoder(pages.page_type(row)).decode(b'{"items": [{"f0": "x", "f29": "y"}]}').items[0].f29)
    found.append(answers.convert({"f29": "y"}, row).f29)

sys.setswitchinterval(1e-6)
for number in range(100):
    row = msgspec.defstruct(f"Row{number}", [(f"f{n}", str | None, None) for n in range(30)])
    ready, found = threading.Barrier(4), []
    threads = [threading.Thread(target=read, args=(row, ready, found)) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert found == ["y"] * 8, found
"""


def test_threads_that_decode_a_type_for_the_first_time_at_once_all_do():
    done = subprocess.run([sys.executable, "-c", DECODING], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
