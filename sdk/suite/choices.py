"""What a table of all methods says of each beside what is measured: what is random in it, and when to choose it."""

from __future__ import annotations

from typing import NamedTuple


class Choice(NamedTuple):
    """One method, to somebody who has to choose: what is random in a trial on the robot, and what it is good for."""

    randomness: str
    choose: str


NOTHING = "nothing: acts by its mean"
TRIES = "actions, until it has adapted"

CHOICES: dict[str, Choice] = {
    "robust": Choice(NOTHING, "always, first: what it earns needs no adapting"),
    "oracle": Choice(NOTHING, "never on a robot: how much there is to win by knowing the world"),
    "rl2": Choice(NOTHING, "adapts within an episode, any number of episodes; the first to try"),
    "snail": Choice(NOTHING, "as RL², when single steps long ago matter and the trial fits into a window"),
    "memory_augmented": Choice(NOTHING, "as RL², when facts have to be kept over a long trial"),
    "varibad": Choice(NOTHING, "as RL², when searching costs and the belief shall be looked at"),
    "task_inference": Choice(NOTHING, "as variBAD, when the hidden parameters are few and known in simulation"),
    "rma": Choice(NOTHING, "as RL², when the last second of motion tells what matters of the hidden parameters"),
    "system_identification": Choice(NOTHING, "what RMA must beat: as RMA, when the parameters themselves are of use"),
    "maml": Choice(TRIES, "reward is reported, trials have batches of episodes, tasks differ in what is paid"),
    "e_maml": Choice(TRIES, "as MAML, when the first batch has to search"),
    "promp": Choice(TRIES, "as MAML, with less noise in what it learns from"),
    "dice": Choice(TRIES, "as MAML, when second derivatives have to be right"),
    "meta_sgd": Choice(TRIES, "as MAML, when weights should not all move alike"),
    "cavia": Choice(TRIES, "as MAML, when a robot may carry a few numbers only"),
    "reptile": Choice(TRIES, "as MAML, when derivatives through adaptation are too dear"),
    "finetune": Choice(TRIES, "what MAML must beat: tasks that are nearly alike"),
    "maxent_finetune": Choice(TRIES, "as finetune, when the start must not be too certain"),
    "maesn": Choice("a latent for each episode, and actions, until it has adapted", "rewards are sparse on the robot"),
    "gmps": Choice(TRIES, "as MAML, when steps in simulation are dear or somebody can show what to do"),
    "mmaml": Choice(TRIES, "as MAML, when tasks are of several kinds"),
    "meta_network": Choice(TRIES, "as MMAML, when a few transitions tell what the task is"),
    "learned_optimizer": Choice(TRIES, "as MAML, for more rounds of adaptation than one or two"),
    "sac": Choice(NOTHING, "as robust, when steps in simulation are dear"),
    "her": Choice(NOTHING, "goals that the policy reads, paid only when reached"),
    "recurrent_sac": Choice(NOTHING, "as RL², when steps in simulation are dear"),
    "pearl": Choice(
        "nothing, or a latent for each episode (`acts_on: sample`), or actions in the first episodes (`explores`)",
        "as RL², when steps in simulation are dear and single transitions tell the world",
    ),
}
