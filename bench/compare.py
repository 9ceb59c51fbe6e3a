#!/usr/bin/env python3
"""tapegrad beside PyTorch: the same cases, in turn, on this machine.

    compare.py [--cases REGEX] [--threads 1,2] [--rounds N] [--budget SECONDS] [--prefix COMMAND] [--venv DIR]
               [--bench PROGRAM] [--results FILE] [--report FILE] [--plot FILE] [--report-only]

Each case on each number of threads is a piece: both programs make their work and warm up, then they take turns, a round each,
and the median of each one's rounds counts. Pieces run under --prefix (a command that keeps the machine quiet), and their
results are kept in --results, so that a part can be measured anew. The table goes to standard output, into the report between
its two marks, and as a picture through gnuplot.
"""
import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# What PyTorch's guide for CPUs asks for: an allocator that keeps large blocks, in huge pages. Its BLAS runs on OpenMP.
TUNED = {"GLIBC_TUNABLES": ":".join(("glibc.malloc.hugetlb=1", "glibc.malloc.mmap_threshold=4294967296",
                                     "glibc.malloc.trim_threshold=17179869184", "glibc.malloc.top_pad=67108864"))}
PIECE_SECONDS, CHILD_SECONDS = 12, 13
TOLERANCE = 1e-3  # of the values of both: sums in another order, and three steps of training


# ---------------------------------------------------------------- the virtual environment


def has_torch(python):
    probe = [python, "-c", "import torch, numpy"]
    return os.path.exists(python) and subprocess.run(probe, stderr=subprocess.DEVNULL).returncode == 0


def python_of(venv):
    """The interpreter of the virtual environment, which is made if there is none. Where packages come from is pip's own matter:
    its PIP_INDEX_URL may name an index of builds for CPUs alone, which are smaller."""
    python = os.path.join(venv, "bin", "python")
    if not has_torch(python):
        print("compare.py: installing PyTorch into " + venv, file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
    return python


# ---------------------------------------------------------------- a piece


class Program:
    """One side: prints facts as a line of JSON, then one line for each that it is sent."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.facts = self.read()
        self.seconds = []

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("compare.py: a program ended early: " + shlex.join(self.process.args))
        return json.loads(line)

    def round(self):
        time.sleep(0.02)  # threads of the other one go to sleep
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.seconds.append(self.read()["seconds"])

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def median(self):
        return sorted(self.seconds)[len(self.seconds) // 2]


def commands(options, case, threads):
    both = ["--threads", str(threads), "--budget", str(options.budget)]
    return ([options.python, os.path.join(HERE, "torch_cases.py"), case, *both],
            [options.bench, "--cases", "^" + re.escape(case) + "$", *both])


def peak(options, case, threads):
    """The whole of our process against what PyTorch's grows by over its import, MiB."""
    torch, ours = commands(options, case, threads)
    theirs = json.loads(subprocess.run(torch, env={**os.environ, **environment_of(threads)}, check=True, text=True,
                                       stdout=subprocess.PIPE).stdout)
    mine = json.loads(subprocess.run(ours, check=True, text=True, stdout=subprocess.PIPE).stdout)
    return {"case": case, "threads": threads, "mib": mine["median"], "torch_mib": theirs["growth"], "torch": theirs["torch"]}


def environment_of(threads):
    return {**TUNED, **{name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}}


def piece(options, case, threads):
    if case.startswith("peak_rss"):
        return peak(options, case, threads)
    torch, ours = commands(options, case, threads)
    start = time.monotonic()
    theirs = Program(torch, environment_of(threads))
    mine = Program([*ours, "--serve"], {})
    for i in range(options.rounds):
        for side in (mine, theirs) if i % 2 else (theirs, mine):
            side.round()
        if i >= 2 and time.monotonic() - start > PIECE_SECONDS:
            break
    mine.end()
    theirs.end()
    return {"case": case, "threads": threads, "seconds": mine.median(), "torch_seconds": theirs.median(), "rounds": i + 1,
            "value": mine.facts.get("value"), "torch_value": theirs.facts["value"], "layout": theirs.facts.get("layout"),
            "bound": mine.facts.get("bound"), "isa": mine.facts["isa"], "torch": theirs.facts["torch"]}


def names_of_both(options):
    """The cases that both programs have, in PyTorch's order."""
    lists = [subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.split() for command in
             ([options.python, os.path.join(HERE, "torch_cases.py"), "--list"], [options.bench, "--list"])]
    return [name for name in lists[0] if name in lists[1]]


def measure(options, names):
    """Measures what was asked for, some pieces in a child under the prefix at a time, and adds to the results."""
    chosen = [name for name in names if re.search(options.cases, name)]
    left = ["%s:%s" % (name, threads) for name in chosen for threads in options.threads.split(",")]
    while left:
        command = [*shlex.split(options.prefix), sys.executable, os.path.abspath(__file__), "--pieces", ",".join(left[:20]),
                   "--rounds", str(options.rounds), "--budget", str(options.budget), "--venv", options.venv, "--bench",
                   options.bench]
        lines = subprocess.run(command, text=True, stdout=subprocess.PIPE).stdout
        if not lines:
            sys.exit("compare.py: no result of " + left[0])
        with open(options.results, "a") as file:
            file.write(lines)
        left = left[lines.count("\n"):]
        print("compare.py: %d pieces left" % len(left), file=sys.stderr)


def measure_some(options):
    """The first of the pieces, as many as a few seconds allow."""
    start = time.monotonic()
    for name in options.pieces.split(","):
        case, threads = name.rsplit(":", 1)
        print(json.dumps(piece(options, case, int(threads))), flush=True)
        if time.monotonic() - start > CHILD_SECONDS:
            break


def results_of(path, names):
    """The newest result of each piece, in the order of the names."""
    found = {}
    with open(path) as file:
        for line in file:
            result = json.loads(line)
            found[result["case"], result["threads"]] = result
    known = [r for r in found.values() if r["case"] in names]
    return sorted(known, key=lambda r: (names.index(r["case"]), r["threads"]))


# ---------------------------------------------------------------- table, picture, report


def three_digits(x):
    return "%.3g" % x if x < 1000 else "%.0f" % x


def shown(seconds):
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale:
            return three_digits(seconds / scale) + " " + unit
    return three_digits(seconds / 1e-9) + " ns"


def ratio(r):
    """How many times as fast as PyTorch, or as small."""
    return r["torch_mib"] / r["mib"] if "mib" in r else r["torch_seconds"] / r["seconds"]


def row(r):
    head, times = [r["case"], str(r["threads"])], "%.2f" % ratio(r)
    if "mib" in r:
        return [*head, "%.0f MiB" % r["mib"], "%.0f MiB" % r["torch_mib"], times, "", ""]
    bound = [shown(r["bound"]), "%.0f %%" % (100 * r["bound"] / r["seconds"])] if r["bound"] else ["", ""]
    return [*head, shown(r["seconds"]), shown(r["torch_seconds"]), times, *bound]


HEADS = ["case", "threads", "tapegrad", "PyTorch", "PyTorch / tapegrad", "bound", "bound / tapegrad"]


def table(results):
    rows = [HEADS, *map(row, results)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEADS))]
    lines = ["| " + " | ".join(x.ljust(w) for x, w in zip(r, widths)) + " |" for r in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def machine(results):
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            model = re.search(r"model name\s*: (.*)", file.read()).group(1)
    timed = next(r for r in results if "isa" in r)
    system = "%s %s" % (platform.system(), platform.machine())
    return "%d cores of %s, %s; tapegrad with the %s set; PyTorch %s; %s." % (
        os.cpu_count(), model, system, timed["isa"], timed["torch"], time.strftime("%Y-%m-%d"))


def write_report(path, results):
    """Replaces what stands between the marks; the text around it is written by hand."""
    begin, end = "<!-- compare.py -->\n", "<!-- end -->"
    with open(path) as file:
        text = file.read()
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    with open(path, "w") as file:
        file.write(before + begin + "\n" + machine(results) + "\n\n" + table(results) + "\n\n" + end + after)


PLOT = """
set terminal svg noenhanced size 900,{height} font 'sans-serif,11' background 'white'
set output '{path}'
set logscale x 2
set grid x lt 1 lc rgb '#dddddd'
set key outside top center horizontal
set xlabel 'times as fast as PyTorch, or as small'
set yrange [-1:{n}]
set xrange [0.25:*]
set lmargin 34
set bmargin 4
set ytics ({ticks}) font ',10' nomirror
set arrow from 1, -1 to 1, {n} nohead lc rgb '#444444'
plot {plots}
"""


def plot(path, results):
    """A row for each case: how many times as fast, a mark for each number of threads."""
    cases = list(dict.fromkeys(r["case"] for r in results))[::-1]
    threads = sorted({r["threads"] for r in results})
    colours = ["#1f77b4", "#d95f02", "#2ca02c", "#9467bd"]
    data, plots = [], []
    for k, n in enumerate(threads):
        points = ["%g %d" % (ratio(r), cases.index(r["case"])) for r in results if r["threads"] == n]
        data.append("\n".join(points) + "\ne\n")
        plots.append("'-' using 1:2 with points pt 7 ps 0.6 lc rgb '%s' title '%d thread%s'" % (
            colours[k % 4], n, "" if n == 1 else "s"))
    ticks = ", ".join("'%s' %d" % (case, i) for i, case in enumerate(cases))
    script = PLOT.format(path=path, n=len(cases), height=80 + 14 * len(cases), ticks=ticks, plots=", ".join(plots))
    subprocess.run(["gnuplot"], input=script + "".join(data), text=True, check=True)


def differing(results):
    looked_at = [r for r in results if r.get("value") is not None]
    return [r for r in looked_at if abs(r["value"] - r["torch_value"]) > TOLERANCE * abs(r["torch_value"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=".")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--venv", default="build/venv")
    parser.add_argument("--bench", default="build/bench")
    parser.add_argument("--results", default="build/compare.jsonl")
    parser.add_argument("--report")
    parser.add_argument("--plot")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds of a round")
    parser.add_argument("--pieces", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.python, options.bench = python_of(options.venv), os.path.abspath(options.bench)
    if options.pieces:
        return measure_some(options)
    names = names_of_both(options)
    if not options.report_only:
        measure(options, names)
    results = results_of(options.results, names)
    print(table(results))
    if options.report:
        write_report(options.report, results)
    if options.plot:
        plot(options.plot, results)
    wrong = differing(results)
    for r in wrong:
        print("compare.py: %s: other values: %.9g, PyTorch %.9g" % (r["case"], r["value"], r["torch_value"]), file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
