"""Writes an event file with TensorBoard's own writer, and reads event files with its own reader.

    python tools/oracle/tensorboard_events.py packages/training/test/fixtures/events.tfevents   makes the fixture
    python tools/oracle/tensorboard_events.py --read FOLDER                                      prints a run's scalars as JSON
"""
import json
import sys

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def write(path):
    def summary(**values):
        return Summary(value=[Summary.Value(tag=t.replace("__", "/"), simple_value=v) for t, v in values.items()])

    events = [
        Event(wall_time=1700000000.5, file_version="brain.Event:2"),
        Event(wall_time=1700000000.5, step=8, session_log=SessionLog(status=SessionLog.START)),
        Event(wall_time=1700000001.25, step=8, summary=summary(train__loss=1.25)),
        Event(wall_time=1700000002, step=300, summary=summary(train__loss=-0.1, eval__ua=0.75)),
        Event(wall_time=1700000003, step=5_000_000_000, summary=summary(train__learning_rate=1e-5)),
    ]
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(folder, size_guidance={"scalars": 0})
    accumulator.Reload()
    scalars = {tag: [[s.step, s.value] for s in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]}
    print(json.dumps(scalars))


if sys.argv[1] == "--read":
    read(sys.argv[2])
else:
    write(sys.argv[1])
