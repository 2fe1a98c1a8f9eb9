"""Guided meta-policy search: experts that know their world teach a policy to adapt by gradient (Mendonca 2019).

    until `expert_steps` were played: soft actor-critic on π*(a | s, c), which reads the true context;  Dᵢ ← its states
    for each iteration, for each of N worlds i:
        play `rollouts` episodes with θ;  θᵢ ← θ + α ∇ J(θ; these episodes)
        play `visits` episodes with θᵢ;  Dᵢ ← Dᵢ ∪ the states they visit
        `outer_steps` times: θ ← Adam step on Σᵢ E_{s ~ Dᵢ} log π(π*(s, cᵢ) | s; θᵢ), through the inner step

| equation                                               | where                                              |
|--------------------------------------------------------|----------------------------------------------------|
| contextual experts, off-policy (section 4.1)           | `sdk.rl.sac.Sac`, told the context                 |
| inner step with importance weights (eq. 4)             | `sdk.rl.meta_learner.ratio_to`                     |
| min_θ Σᵢ L_BC(θᵢ, Dᵢ) (eq. 3, algorithm 2)             | `Gmps.imitation`                                   |
| states of θᵢ, labelled by the expert (algorithm 1)     | `Gmps.take`                                        |
| demonstrations instead of experts (section 4.3)        | `sdk.rl.demonstrations`                            |

Everything played counts as control steps of the run, the experts' included. Once trained, it is MAML: the same policy,
the same carry, the same step on a robot. With demonstrations nobody can be asked, so Dᵢ are the files' states alone.

With `early_weight` θ imitates unadapted, too, and the states of its first `visits` episodes are labelled as well: what
all experts would do keeps it among them.

Deviations: the spread of the actions stays as it began: learned by imitation it would vanish, and with it what the
inner step follows. The expert acts without noise when it is asked. `worlds` sets how many tasks there are; without, all
are new in each iteration, and Dᵢ holds the visits of that iteration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from domain_rand.randomizer import keyed_rng
from sdk.algos.base import Algorithm, Sizes
from sdk.config import TrainConfig
from sdk.nn.adapting import AdaptableMlp, AdaptationRule, AdaptingPolicy, InnerObjective
from sdk.nn.squashed import SquashedPolicy
from sdk.rl.demonstrations import read_demonstrations
from sdk.rl.distributions import ActionDistribution, distribution
from sdk.rl.episodes import Episodes, batches
from sdk.rl.meta_learner import MetaLearner, earned, ratio_to, world_numbers
from sdk.rl.meta_settings import MetaConfig, played
from sdk.rl.rollout import Carry, Rollout
from sdk.rl.sac import Sac
from sdk.rl.shown_rows import Shown, ShownRows
from sdk.rl.soft import SoftConfig


class GmpsConfig(MetaConfig):
    """The keys under `method`."""

    outer: Literal["trpo", "adam"] = Field(default="adam", description="imitation is learned by Adam")
    outer_steps: int = Field(default=30, ge=1, description="Adam's steps on the trials of an iteration")
    visits: int = Field(default=1, ge=1, description="episodes after adapting whose states the expert labels")
    imitated: int = Field(default=256, ge=1, description="states of each world that a step imitates the expert in")
    taught_on: int | None = Field(
        default=None, ge=1, description="episodes adapted on at a time while training; none: rollouts"
    )
    lessons: int = Field(default=1, ge=1, description="iterations whose trials are learned from: the last ones")
    kept: int = Field(default=4000, ge=1, description="states of each world to draw these from: the last ones")
    expert_steps: int = Field(default=200_000, ge=1, description="control steps that the experts learn from")
    expert: SoftConfig = Field(default=SoftConfig(), description="settings of the experts' soft actor-critic")
    demonstrations: tuple[str, ...] = Field(
        default=(), description="files or folders that stand for experts, the first of world 0, one for each world"
    )

    @model_validator(mode="after")
    def _fits(self) -> GmpsConfig:
        if self.visits > self.rollouts:
            raise ValueError(f"visits is {self.visits}, and a batch has rollouts = {self.rollouts} episodes")
        if self.outer != "adam":
            raise ValueError("outer: imitation is learned by adam")
        return self

    @property
    def episodes(self) -> int:
        """Episodes of a trial that training plays: the batches to adapt on, and the visits."""
        return self.inner_steps * self.taught + self.visits

    @property
    def taught(self) -> int:
        """Episodes adapted on at a time while training: fewer leave room for more worlds."""
        return self.taught_on or self.rollouts


class GuidedPolicy(AdaptingPolicy):
    """An adapting policy that lets its experts play as long as they learn; nothing of them leaves for a robot."""

    expert_steps: Tensor

    def __init__(self, sizes: Sizes, config: TrainConfig, settings: GmpsConfig) -> None:
        actor = AdaptableMlp([sizes.obs, *config.policy.hidden, sizes.action], config.policy.head_gain)
        self._taught_on = settings.taught
        super().__init__(sizes, config.policy, actor, actor.adapted, settings.rule())
        if self.log_std is not None:
            self.log_std.requires_grad_(False)
        self._needed, self._context = settings.expert_steps, torch.empty(0)
        self.register_buffer("expert_steps", torch.zeros((), dtype=torch.long))
        self.expert: SquashedPolicy | None = None
        if not settings.demonstrations:
            known = replace(sizes, obs=sizes.obs + sizes.context)
            self.expert = SquashedPolicy(known, config.policy.model_copy(update={"log_std": 0.0}))

    @property
    def rule(self) -> AdaptationRule:
        """When and how it adapts: while training, perhaps on fewer episodes."""
        return replace(self._rule, every=self._taught_on) if self.training else self._rule

    @rule.setter
    def rule(self, rule: AdaptationRule) -> None:
        self._rule = rule

    @property
    def experts_play(self) -> bool:
        """Whether the experts still learn: never in evaluation, which they would only cheat in."""
        return self.training and self.expert is not None and int(self.expert_steps) < self._needed

    def bind_context(self, context: Tensor) -> None:
        """Keep the true contexts for the experts, who alone read them."""
        self._context = context

    def explore(
        self,
        obs: Tensor,
        last_action: Tensor,
        last_reward: Tensor,
        episode_start: Tensor,
        carry: Carry,
        noise: Tensor,
    ) -> tuple[Tensor, Tensor, Carry]:
        """Return the action for `noise` `[N, A]`, its log-density and the next carry, of whoever plays."""
        if self.experts_play:
            assert self.expert is not None
            return *self.expert.actions(torch.cat([obs, self._context], -1)).sample(noise), carry
        head, carry = self.step(obs, last_action, last_reward, episode_start, carry)
        return *distribution(head, self.log_std).sample(noise), carry

    def adapt(self, episodes: tuple[Tensor, ...], carry: Carry) -> Carry:
        """Return the carry after one round, or as it was while experts play."""
        return carry if self.experts_play else super().adapt(episodes, carry)

    @torch.no_grad()
    def taught(self, shown: Shown) -> Tensor:
        """Return what is to be done `[…, A]`: what the expert would do, or what a file shows."""
        if self.expert is None:
            return shown.action
        return self.expert.actions(torch.cat([shown.obs, shown.context], -1)).greedy


class Lesson(NamedTuple):
    """What an iteration's trials adapted on, batch by batch, how likely their actions were, and their worlds."""

    worlds: list[int]
    support: list[Episodes]
    log_prob: list[Tensor]


class Gmps(MetaLearner):
    """Experts first, then imitation through the inner step."""

    policy: GuidedPolicy
    settings: GmpsConfig

    def __init__(self, policy: GuidedPolicy, config: TrainConfig) -> None:
        super().__init__(policy, GmpsConfig.parse(config.method, "method"))
        self.parameters = list(policy.actor.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.settings.lr)
        self.seed, self.worlds, self.rows = config.seed, config.worlds, ShownRows(self.settings.kept)
        self.lessons: list[Lesson] = []
        self.experts = None if policy.expert is None else Sac(policy.expert, _of_experts(config, self.settings))
        if self.experts is None:
            sizes = policy.actor[0].in_features, policy.actor[-1].out_features  # type: ignore[index]
            for world, rows in enumerate(read_demonstrations(config, self.settings.demonstrations, *sizes)):
                self.rows.add(world, rows)

    def cut(self, rollout: Rollout) -> list[Episodes]:
        """Return the batches to adapt on, and last the visits."""
        return batches(rollout, self.settings.taught, self.settings.inner_steps + 1)

    def inner_objective(self, played: ActionDistribution) -> InnerObjective:
        """Return the ratio to how the batch was played: θ takes many steps on it."""
        return ratio_to(played.log_prob)

    def update(self, rollout: Rollout, iteration: int, progress: float) -> dict[str, float]:
        """Improve the experts, or what they teach, on the trials of N worlds."""
        worlds = world_numbers(iteration, rollout.reward.shape[1], self.worlds)
        teach = self.learn_to_teach if self.policy.experts_play else self.imitate
        statistics = teach(rollout, worlds, iteration)
        self.policy.observe(rollout)
        return statistics

    def learn_to_teach(self, rollout: Rollout, worlds: list[int], iteration: int) -> dict[str, float]:
        """Improve the experts on what they played, and keep where they have been."""
        assert self.experts is not None
        self.take(rollout.obs, torch.ones_like(rollout.reward), rollout.context, worlds)
        self.policy.expert_steps += rollout.reward.numel()
        return self.experts.update(with_context(rollout), iteration, 0.0)

    def imitate(self, rollout: Rollout, worlds: list[int], iteration: int) -> dict[str, float]:
        """Imitate in the states that the adapted policies visited, and in those of before."""
        trials, last = self.trials(rollout)
        for batch in (trials.query, *(trials.support if self.settings.early_weight else ())):
            few = batch.first(self.settings.visits)
            self.take(few.obs, few.mask, rollout.context, worlds)
        log_prob = [played.log_prob(e.action) for played, e in zip(trials.played, trials.support, strict=True)]
        self.lessons = [*self.lessons, Lesson(worlds, trials.support, log_prob)][-self.settings.lessons :]
        rng = keyed_rng(self.seed, "gmps", iteration, "states")
        for _ in range(self.settings.outer_steps):
            lesson = self.lessons[rng.integers(len(self.lessons))]
            loss = -self.imitation(lesson, self.rows.draw(lesson.worlds, self.settings.imitated, rng)).mean()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.inner_max_norm)
            self.optimizer.step()
        return {"imitation": -loss.item(), "grad_norm": float(norm), **earned([*trials.support, trials.query], last)}

    def imitation(self, lesson: Lesson, shown: Shown) -> Tensor:
        """Return the mean log-likelihood `[N]` of what is taught, under the policies that adapted (eq. 3).

        With `early_weight`, under the unadapted one, too: what all experts would do keeps it where they have been.
        """
        taught, first = self.policy.taught(shown), self.start(len(lesson.worlds))
        likely = self._likely(shown, taught, self.adapted_on(lesson, first))
        weight = self.settings.early_weight
        return likely + weight * self._likely(shown, taught, first) if weight else likely

    def adapted_on(self, lesson: Lesson, adapted: Tensor) -> Tensor:
        """Return what is adapted `[N, P]` after a lesson, whose actions weigh by how likely they still are."""
        for episodes, before in zip(lesson.support, lesson.log_prob, strict=True):
            objective = ratio_to(_known(before))
            adapted = self.policy.adapted_by(episodes, adapted, objective, self.settings.first_order)
        return adapted

    def _likely(self, shown: Shown, taught: Tensor, adapted: Tensor) -> Tensor:
        actions = distribution(self.policy.head(shown.obs, adapted), self.policy.log_std)
        return actions.log_prob(taught).mean(0)

    def take(self, obs: Tensor, mask: Tensor, context: Tensor, worlds: list[int]) -> None:
        """Keep the states `[T, N, O]` that count as places to ask the expert in, by their worlds."""
        if self.experts is None:
            return
        for i, world in enumerate(worlds):
            visited = obs[mask[:, i] > 0, i]
            known = context[0, i].expand(len(visited), -1)
            self.rows.add(world, Shown(visited, known, torch.empty(len(visited), 0)))
        if self.worlds is None:
            self.rows.keep_only(worlds)

    @property
    def remembers(self) -> int:
        """How many of the last rollouts hold all that experts who still play keep."""
        return self.experts.remembers if self.experts is not None and self.policy.experts_play else 0

    def remember(self, rollout: Rollout) -> None:
        """Let the experts take in what they played."""
        if self.experts is not None:
            self.experts.remember(with_context(rollout))

    def state_dict(self) -> dict[str, Any]:
        """Return the optimiser's state, what is shown, and the experts' own."""
        experts = {} if self.experts is None else self.experts.state_dict()
        lessons = [(one.worlds, [tuple(e) for e in one.support], one.log_prob) for one in self.lessons]
        return {**super().state_dict(), "rows": self.rows.state_dict(), "experts": experts, "lessons": lessons}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        super().load_state_dict(state)
        self.rows.load_state_dict(state["rows"])
        self.lessons = [Lesson(w, [Episodes(*e) for e in support], p) for w, support, p in state["lessons"]]
        if self.experts is not None:
            self.experts.load_state_dict(state["experts"])


def _known(log_prob: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda action: log_prob


def with_context(rollout: Rollout) -> Rollout:
    """Return a rollout whose observations tell the true context, too."""
    told = {"obs": rollout.obs, "final_obs": rollout.final_obs}
    return replace(rollout, **{name: torch.cat([x, rollout.context], -1) for name, x in told.items()})


def _of_experts(config: TrainConfig, settings: GmpsConfig) -> TrainConfig:
    policy = config.policy.model_copy(update={"informed_critic": False})  # the observation tells the context already
    return config.model_copy(update={"method": settings.expert.plain(), "policy": policy})


def build(sizes: Sizes, config: TrainConfig) -> GuidedPolicy:
    """Build π(a | s) whose weights adapt, and its experts."""
    return GuidedPolicy(sizes, config, GmpsConfig.parse(config.method, "method"))


def learner(policy: nn.Module, config: TrainConfig) -> Gmps:
    """Return the outer loop."""
    assert isinstance(policy, GuidedPolicy)
    return Gmps(policy, config)


ALGORITHM = Algorithm(
    "gmps",
    "Mendonca et al. 2019",
    "MAML's policy, taught by experts that know their world",
    True,
    build,
    learner,
    GmpsConfig,
    played,
)
