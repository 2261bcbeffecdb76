"""The nouns that every other room uses: values without I/O, importing nothing of ours."""
