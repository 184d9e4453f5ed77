"""``make fuzz``: whatever bytes come, the CSV reader and the classifier of failures keep their word.

``targets`` says what must hold, ``corpus`` holds what has been tried, and ``test_fuzz_corpus`` tries that in every run
of the tests, without the fuzzer.
"""
