"""The log as CSV."""

import csv

from pamm.engine.survival.log import CSVLog


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_resumed_log_has_each_row_once(tmp_path):
    log = CSVLog(tmp_path, step=0)
    for step in range(4):
        log.log_metrics({"loss": step / 2}, step=step)
        log.save()
    log.log_metrics({"loss": 1.5}, step=3)
    log.log_metrics({"score": 7.0}, step=3)
    log.save()
    assert [(row["step"], row["loss"], row["score"]) for row in rows(log.path)] == [
        *[("0", "0.0", ""), ("1", "0.5", ""), ("2", "1.0", ""), ("3", "1.5", ""), ("3", "", "7.0")]
    ]
    with log.path.open("a") as file:
        file.write("0.25,,1")
    other = CSVLog(tmp_path, step=3)
    other.log_metrics({"loss": 9.0}, step=3)
    other.save()
    assert [(row["step"], row["loss"]) for row in rows(log.path)] == [
        *[("0", "0.0"), ("1", "0.5"), ("2", "1.0"), ("3", "9.0")]
    ]
    assert CSVLog(tmp_path, step=0).rows == []
