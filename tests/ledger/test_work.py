import threading

from pipeline.ledger import recall, remember, verify


def test_work_that_was_never_finished_is_unknown(ledger):
    assert recall(ledger, "k") is None


def test_finished_work_is_recalled_as_it_was_noted(ledger):
    with ledger.transaction() as tx:
        assert remember(tx, "k", "training", {"directory": "models/k", "seconds": 1.5}, project="p") == {
            "directory": "models/k", "seconds": 1.5}  # fmt: skip
    assert recall(ledger, "k") == {"directory": "models/k", "seconds": 1.5}
    assert [event.kind for event in ledger.events(project="p")] == ["work.finished"]


def test_the_first_writer_wins_and_only_it_makes_an_event(ledger):
    results = []

    def work(number):
        with ledger.transaction() as tx:
            results.append(remember(tx, "k", "training", {"number": number}))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [recall(ledger, "k")] * 4
    assert verify(ledger).events == 1
