"""``make fuzz``: whatever bytes come, the readers of pages, answers, states and registries keep their word.

``targets`` says what must hold, ``corpus`` holds what has been tried, and ``test_fuzz_corpus`` tries that in every run
of the tests, without the fuzzer.
"""
