# SPDX-License-Identifier: AGPL-3.0-or-later
"""The gate lease, end to end, with the gate in a stock gst-launch-1.0.

Frame numbers are taken behind the gate's source pad by `identity silent=false`, which
prints GST_BUFFER_OFFSET of each buffer inside the push. Asked of it:

  1  no number above the confirmed n, in 100 revocations;
  2  revoking one context leaves the other flowing;
  3  a stopped gate (SIGSTOP): revoke returns within 2.2 s of work, and after SIGCONT
     at most the one buffer that was in flight when it stopped comes through;
  4  a stopped daemon: the lease runs out within 2 s;
  5  a killed daemon (SIGKILL): none later than one buffer after the end of its
     connection, none later than 2 s; after a restart it flows again, numbers go on;
  6  a second gate for a held sensor, and one of another user, are refused and say so.
"""
import os, pwd, re, signal, subprocess, sys, tempfile, threading, time

build = os.path.abspath(sys.argv[1])
runs = int(sys.argv[2]) if len(sys.argv) > 2 else 100
stops = int(sys.argv[3]) if len(sys.argv) > 3 else 3
programs = os.path.join(build, "bin")
user = pwd.getpwuid(os.getuid()).pw_name
state = tempfile.mkdtemp(prefix="hm-lease-")
children = []
env = dict(os.environ, HALLMARK_STATE=state, GST_PLUGIN_PATH=os.path.join(build, "lib"),
           GST_REGISTRY=os.path.join(build, "gst-registry.bin"), GST_DEBUG="0")


def check(is_so, claim):
    if not is_so:
        raise SystemExit("FAIL: " + claim)
    print("ok   " + claim, flush=True)


def hallmark(*words, code=0):
    done = subprocess.run([os.path.join(programs, "hallmark"), *words], env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    if code is not None and done.returncode != code:
        raise SystemExit("FAIL: hallmark %s: exit %d\n%s" % (" ".join(words), done.returncode, done.stdout))
    return done.stdout


def start(name, *words):
    log = open(os.path.join(state, name + ".log"), "ab")
    child = subprocess.Popen([os.path.join(programs, name), *words], env=env, stdout=log, stderr=log)
    children.append(child)
    return child


def start_daemon():
    daemon = start("hallmarkd", "--state", state)
    hallmark("status", "--wait", "10s")
    return daemon


class Gate:
    """gst-launch-1.0 ... hallmarkgate ...; numbers[] are (number, when it was read)."""

    def __init__(self, sensor, fps):
        self.numbers, self.lines = [], []
        self.process = subprocess.Popen(
            ["gst-launch-1.0", "-v", "-m", "videotestsrc", "is-live=true", "!",
             "video/x-raw,format=GRAY8,width=64,height=48,framerate=%d/1" % fps, "!",
             "hallmarkgate", "sensor=" + sensor, "socket=" + state + "/run/gate.sock", "!",
             "identity", "name=after", "silent=false", "!", "fakesink", "sync=false"],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        children.append(self.process)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            found = re.search(r"after: last-message = chain.*offset: (\d+)", line)
            if found:
                self.numbers.append((int(found.group(1)), time.monotonic()))
            elif "hallmark-gate" in line:
                self.lines.append(line)

    def last(self):
        return self.numbers[-1][0] if self.numbers else 0

    def flows(self, within=4.0):
        before, until = self.last(), time.monotonic() + within
        while self.last() <= before and time.monotonic() < until:
            time.sleep(0.005)
        return self.last() > before

    def said(self, text, within=4.0):
        until = time.monotonic() + within
        while time.monotonic() < until:
            if any(text in line for line in self.lines):
                return True
            time.sleep(0.02)
        return False

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def pair(context):
    hallmark("pair", "front", "--context", context, "--for", "1d", "--allow", "observe")


def revoke(context):
    """(seconds, confirmed n or None)"""
    begin = time.monotonic()
    text = hallmark("revoke", "front", "--context", context, "--reason", "test")
    found = re.search(r"shut after frame (\d+)", text)
    return time.monotonic() - begin, int(found.group(1)) if found else None, text


def many_revocations(gate):
    slowest = 0
    for run in range(runs):
        pair("drive")
        if not gate.flows():
            raise SystemExit("FAIL: run %d: nothing flows after pair" % run)
        time.sleep(0.01 * (run % 10))
        seconds, n, text = revoke("drive")
        slowest = max(slowest, seconds)
        if n is None:
            raise SystemExit("FAIL: run %d: the gate did not confirm: %s" % (run, text))
        time.sleep(0.1)
        if gate.last() != n:
            raise SystemExit("FAIL: run %d: confirmed %d, seen %d" % (run, n, gate.last()))
    check(True, "%d revocations: no frame above the confirmed n (slowest %.3f s)" % (runs, slowest))


def one_of_two(gate):
    pair("drive")
    pair("training")
    check(gate.flows(), "two contexts flow")
    seconds, _, text = revoke("training")
    check(gate.flows(), "revoking training leaves drive flowing: " + text.strip().splitlines()[-1])


def stopped_gate(gate):
    for run in range(stops):
        gate.flows()
        gate.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        seen = gate.last()
        seconds, n, text = revoke("drive")
        check(n is None and "unconfirmed" in text,
              "a stopped gate: the lease ran out, unconfirmed (%.2f s)" % seconds)
        check(seconds <= 2.2, "and revoke returned within 2.2 s")
        gate.process.send_signal(signal.SIGCONT)
        time.sleep(0.7)
        check(gate.last() <= seen + 1, "after SIGCONT nothing but what was in flight: %d, then %d"
              % (seen, gate.last()))
        pair("drive")
        check(gate.flows(), "and a new pairing flows")


def stopped_daemon(gate, daemon):
    gate.flows()
    daemon.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    time.sleep(3.0)
    late = gate.numbers[-1][1] - begin
    check(0.5 < late <= 2.1, "a stopped daemon: the last frame passed %.2f s later" % late)
    daemon.send_signal(signal.SIGCONT)
    check(gate.flows(), "and it flows again after SIGCONT")


def killed_daemon(gate, daemon):
    gate.flows()
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    gone, seen = time.monotonic(), gate.last()
    time.sleep(2.5)
    after = [number for number, when in gate.numbers if number > seen]
    late = max([when - gone for _, when in gate.numbers])
    check(len(after) <= 2 and late < 1.0,
          "a killed daemon: %d buffers after it was gone, the last %.3f s later" % (len(after), late))
    check(gate.said("no-daemon"), "and the gate says why it shut")
    daemon = start_daemon()
    check(gate.flows(8.0), "after a restart it flows again, numbers go on")
    return daemon


def refused_gates(gate):
    second = Gate("front", 30)
    check(second.said("held"), "a second gate for a held sensor is refused and says so")
    check(second.last() == 0 and gate.flows(), "nothing passes it, and the first flows on")
    second.end()
    unknown = Gate("nobody", 30)
    check(unknown.said("unknown-sensor"), "a gate for a sensor that is not bound says so")
    unknown.end()
    if os.getuid() == 0:
        hallmark("bind", 'gst:"videotestsrc is-live=true pattern=snow"', "--name", "other", "--gate", "nobody")
        hallmark("pair", "other", "--context", "drive", "--for", "1d", "--allow", "observe")
        foreign = Gate("other", 30)
        check(foreign.said("refused") and foreign.last() == 0, "a gate of another user is refused")
        foreign.end()


def main():
    subprocess.run([os.path.join(programs, "hallmark-authority"), "init"], env=env, check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([os.path.join(programs, "hallmarkd"), "--state", state, "--init", "--authority",
                    state + "/authority/authority.pub"], env=env, check=True, stdout=subprocess.DEVNULL)
    start("hallmark-authority", "serve")
    daemon = start_daemon()
    hallmark("bind", 'gst:"videotestsrc is-live=true"', "--name", "front", "--gate", user)
    gate = Gate("front", 200)
    many_revocations(gate)
    one_of_two(gate)
    stopped_gate(gate)
    stopped_daemon(gate, daemon)
    gate.end()
    time.sleep(0.3)
    gate = Gate("front", 30)
    check(gate.flows(), "a gate that was killed is replaced by a new one")
    daemon = killed_daemon(gate, daemon)
    refused_gates(gate)
    gate.end()
    daemon.send_signal(signal.SIGTERM)
    check(daemon.wait(15) == 0, "hallmarkd ends with 0")


try:
    main()
finally:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGCONT)
            child.kill()
    subprocess.run(["rm", "-rf", state])
