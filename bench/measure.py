"""Runs one side of one job as a process of its own, and reads what it did."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Failed(RuntimeError):
    pass


def run(command, environment, log):
    """Seconds and peak memory (MiB) of a process and its children; its output goes to `log`."""
    with open(log, "wb") as out:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT,
                                   env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = pathlib.Path(log).read_text(errors="replace")[-2000:]
        raise Failed(f"exit {process.returncode}: {' '.join(map(str, command))}\n{tail}")
    return {"seconds": seconds, "memory_mib": usage.ru_maxrss / 1024}


def run_peer(command, environment, log):
    figures = run(command, environment, log)
    lines = [line for line in open(log, errors="replace") if line.startswith("RESULT ")]
    if len(lines) != 1:
        raise Failed(f"{log}: {len(lines)} RESULT lines")
    return figures | json.loads(lines[0][len("RESULT "):])


def read_rows(path):
    return [json.loads(line) for line in open(path)] if path.exists() else []


def watch_first_row(path, begin, found, stop):
    """Notes when the first line of metrics is there: the end of the first update."""
    while not stop.is_set():
        if path.exists() and path.stat().st_size > 0:
            found.append(time.perf_counter() - begin)
            return
        time.sleep(0.002)


def run_training(command, folder, environment, log):
    """A job of ours that writes a run folder; figures from its metrics, as in run_peer."""
    shutil.rmtree(folder, ignore_errors=True)
    found, stop = [], threading.Event()
    watcher = threading.Thread(target=watch_first_row, args=(
        folder / "metrics.jsonl", time.perf_counter(), found, stop))
    watcher.start()
    try:
        figures = run(command, environment, log)
    finally:
        stop.set()
        watcher.join()
    rows = [row for row in read_rows(folder / "metrics.jsonl") if "eval_loss" not in row
            and not any(key.startswith("eval_") for key in row)]
    return figures | {"rows": rows, "first_step_s": found[0], "steps": len(rows)}
