"""Ours and theirs in turn on the same inputs, threads and numbers; called by side_by_side.sh.

    side_by_side.py SETTINGS.json [--only SUBSTRING,...] [--rounds N] [--out results.csv]

Writes one line a job: medians of each side's speed, the median, least and greatest of the ratios taken
round by round, peak memory ours / theirs, time to the end of the first update theirs / ours; of
training, what `plumb plan` said beforehand / what was measured; of PPO, seconds by part in the last
round. A job whose sides did not do the same work is an error, not a line."""
import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys

import chart
from ceiling import share_of_ceiling
from jobs import Setting, all_jobs
from measure import ROOT, Failed

COLUMNS = ["job", "model", "mode", "peer", "ours", "theirs", "unit", "ratio", "ratio_min",
           "ratio_max", "memory_ratio", "first_step_ratio", "ceiling_share",
           "planned_memory", "planned_time", "parts_ours", "parts_theirs", "rounds", "threads",
           "commit", "cpu"]


def commit():
    text = lambda *words: subprocess.check_output(["git", "-C", ROOT, *words], text=True).strip()
    return text("rev-parse", "--short", "HEAD") + ("+" if text("status", "--porcelain") else "")


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def read_setting(path):
    return Setting(**{key: value if key == "threads" else pathlib.Path(value)
                      for key, value in json.loads(path.read_text()).items()})


def measure(job, setting, rounds):
    pairs = []
    for _ in range(rounds):
        ours, theirs = job.ours(setting), job.theirs(setting)
        complaints = job.check(ours, theirs)
        if complaints:
            raise Failed("not the same work: " + "; ".join(complaints))
        pairs.append((ours, theirs))
        print(f"    {ours['speed']:10.3f} {theirs['speed']:10.3f} {job.unit}"
              f"   x {ours['speed'] / theirs['speed']:.2f}", flush=True)
    return pairs


def planned(pairs, setting):
    """Predicted / measured: the run's peak memory, and the seconds of its updates."""
    runs = [ours for ours, _ in pairs]
    if "words" not in runs[0]:
        return {}
    plan = setting.plan(runs[0]["words"])
    over = lambda key, wanted: wanted / statistics.median(run[key] for run in runs)
    return {"planned_memory": f"{over('memory_mib', plan['memory_mib']):.2f}",
            "planned_time": f"{over('update_seconds', plan['seconds']):.2f}"}


def line_of(job, pairs, setting):
    median = lambda values: statistics.median(list(values))
    ratios = [ours["speed"] / theirs["speed"] for ours, theirs in pairs]
    firsts = [theirs["first_step_s"] / ours["first_step_s"] for ours, theirs in pairs
              if "first_step_s" in ours and "first_step_s" in theirs]
    speed = median(ours["speed"] for ours, _ in pairs)
    return {"job": job.name, "model": job.model, "mode": job.mode, "peer": job.peer,
            "ours": f"{speed:.4g}",
            "theirs": f"{median(theirs['speed'] for _, theirs in pairs):.4g}", "unit": job.unit,
            "ratio": f"{median(ratios):.2f}", "ratio_min": f"{min(ratios):.2f}",
            "ratio_max": f"{max(ratios):.2f}",
            "memory_ratio": f"{median(o['memory_mib'] / t['memory_mib'] for o, t in pairs):.3f}",
            "first_step_ratio": f"{median(firsts):.1f}" if firsts else "",
            "ceiling_share": share_of_ceiling(job, speed, setting),
            "parts_ours": pairs[-1][0].get("parts", ""),
            "parts_theirs": pairs[-1][1].get("parts", ""), "rounds": len(pairs),
            "threads": setting.threads, "commit": commit(), "cpu": cpu()} | planned(pairs, setting)


def write(lines, path):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    chart.write(lines, path.with_suffix(".svg"))


def wanted(job, only):
    label = f"{job.name}/{job.model}/{job.mode}/{job.peer}"
    return not only or any(part in label for part in only.split(","))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=0, help="0: each job's own number")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results.csv")
    options = parser.parse_args()
    setting = read_setting(options.settings)
    lines, failures = [], 0
    for job in all_jobs():
        if not wanted(job, options.only):
            continue
        print(f"{job.name} {job.model} {job.mode}, against {job.peer}", flush=True)
        try:
            pairs = measure(job, setting, options.rounds or job.rounds)
            lines.append(line_of(job, pairs, setting))
            write(lines, options.out)
        except Failed as failure:
            failures += 1
            print(f"    FAILED {failure}", flush=True)
    print(f"{len(lines)} jobs measured, {failures} failed; {options.out}")
    return 1 if failures or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
