"""Event records as TensorBoard's own writer frames them -> fixtures/tfevents.json.

    python tests/oracle/make_tfevents.py
"""

import io
import json
from pathlib import Path

import tensorboard
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def record(event):
    stream = io.BytesIO()
    stream.close, done = lambda: None, stream.getvalue
    RecordWriter(stream).write(event.SerializeToString())
    return done().hex()


EVENTS = [
    (1700000000.25, 1, [("train/loss", 2.5)]),
    (1700000001.125, 300, [("train/objective/kl", -0.1), ("train/objective/scores", 1e-7),
                           ("eval/loss", 3.0e10)]),
    (1700000002.0, 2**40, [("train/" + "x" * 200, 1.0)]),
]

events = []
for wall_time, step, scalars in EVENTS:
    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars]
    event = Event(wall_time=wall_time, step=step, summary=Summary(value=values))
    events.append({"wall_time": wall_time, "step": step, "scalars": scalars,
                   "record": record(event)})

header = Event(wall_time=1700000000.5, step=0, file_version="brain.Event:2")
fixture = {"versions": {"tensorboard": tensorboard.__version__},
           "header": {"wall_time": 1700000000.5, "record": record(header)}, "events": events}
path = Path(__file__).parent / "fixtures" / "tfevents.json"
path.write_text(json.dumps(fixture, indent=1) + "\n")
print(path, len(events), "events")
