"""Is the robot's motion one that any world of training could show? Asked after every step of the policy.

A bundle's monitor foretells each reading from those before it and adds up how far it was wrong. When that exceeds what
training worlds show, the policy's memory is kept blank, so that it acts on nothing it may have learned wrongly; when it
goes far beyond, or lasts, the robot is stopped.
"""

from __future__ import annotations

from collections.abc import Mapping

from export.monitor_files import open_monitor_graph
from export.runtime.guards import Verdict
from export.runtime.policy import Policy
from robots.drivers.base import Reading


def open_monitor(policy: object) -> OutOfDistribution | None:
    """Return the monitor of a policy's bundle, or None where it has none; raises `BundleError` for a damaged one."""
    if isinstance(policy, Policy) and policy.manifest.monitor is not None:
        return OutOfDistribution(policy)
    return None


class OutOfDistribution:
    """The monitor of one policy; ask it once after each of the policy's steps.

    `statistics` holds the last values by name, in units of what an episode in training worlds rarely exceeds; `score`
    is the largest.
    """

    def __init__(self, policy: Policy) -> None:
        spec = policy.manifest.monitor
        assert spec is not None
        self.spec = spec
        self._policy = policy
        self._graph = open_monitor_graph(policy.bundle)
        self._initial = {state.name: state.start() for state in spec.carry}
        self._patience = max(1, round(spec.patience / policy.contract.control_dt))
        self._reads = {name: f"policy_{name}" for name in spec.reads}
        self._trial, self._alarms, self._next = -1, 0, -1
        self._warm_up()

    @property
    def statistics(self) -> dict[str, float]:
        """What the last step came to."""
        return dict(zip(self.spec.statistics, self._graph.outputs["statistics"][0].tolist(), strict=True))

    @property
    def score(self) -> float:
        """The largest statistic of the last step."""
        return float(self._graph.outputs["statistics"][0].max())

    def judge(self, reading: Reading, command: Mapping[str, float]) -> Verdict:
        """Judge the policy's last step, whose answer was `command`.

        "fall_back" blanks the policy's memory, so that from the next step on `command` comes from none.
        """
        self._read(reading)
        self._graph.run()
        self._graph.keep()
        score, spec = self.score, self.spec
        if score <= spec.fall_back:
            self._alarms = 0
            return Verdict()
        self._alarms += 1
        if not score <= spec.stop:  # NaN too
            return Verdict("stop", f"{self._reason()}, beyond {spec.stop:.3g}", command)
        if self._alarms > self._patience:
            return Verdict("stop", f"{self._reason()}, for more than {spec.patience:g} s", command)
        self._policy.forget()
        return Verdict("fall_back", f"{self._reason()}; the policy acts without memory", command)

    def _read(self, reading: Reading) -> None:
        """Hand over what the policy read; where a reading is missing in between, nothing can be compared."""
        given, graph = self._policy.given, self._graph
        if self._policy.trials != self._trial:
            self._begin_trial()
        start = given["episode_start"] or reading.sequence != self._next
        self._next = reading.sequence + 1
        graph.inputs["obs"][0], graph.inputs["last_action"][0] = given["obs"], given["last_action"]
        graph.inputs["episode_start"][0] = float(start)
        for name, value in self._policy.memory.items():
            if name in self._reads:
                graph.inputs[self._reads[name]][...] = value

    def _reason(self) -> str:
        name, value = max(self.statistics.items(), key=lambda item: item[1])
        allowed = self.spec.fall_back
        return f"not a world of training: {name} {value:.3g}, where {allowed:.3g} is rarely exceeded"

    def _warm_up(self) -> None:
        """Run both bindings, so that the first real step is as fast as the others."""
        for _ in range(4):
            self._graph.run()
            self._graph.keep()

    def _begin_trial(self) -> None:
        for name, value in self._initial.items():
            self._graph.carry[name][...] = value
        self._trial = self._policy.trials
        self._alarms, self._next = 0, -1
