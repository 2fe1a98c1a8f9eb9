from __future__ import annotations

import torch

from sdk.nn.episode_encoder import EpisodeEncoder, gated_sum, transitions
from sdk.rl.episodes import Episodes

STEPS, TASKS, UNITS = 300, 3, 5


def test_the_sum_is_the_recurrence() -> None:
    torch.manual_seed(0)
    log_keep = torch.nn.functional.logsigmoid(3 * torch.randn(STEPS, TASKS, UNITS))
    new, mask = torch.randn(STEPS, TASKS, UNITS), (torch.rand(STEPS, TASKS) > 0.3).float()
    memory = torch.zeros(TASKS, UNITS, dtype=torch.float64)
    for keep, told, counts in zip(log_keep.exp().double(), new.double(), mask.bool(), strict=True):
        memory = torch.where(counts[:, None], keep * memory + (1 - keep) * told, memory)
    torch.testing.assert_close(gated_sum(log_keep, new, mask).double(), memory, rtol=0, atol=1e-5)


def test_a_new_encoder_is_silent_and_remembers_short_and_long() -> None:
    encoder = EpisodeEncoder(4, 8, 3)
    assert not encoder(torch.randn(20, 2, 4), torch.ones(20, 2)).any()
    remembered = 1 / (1 - encoder.keep.bias.sigmoid())
    torch.testing.assert_close(remembered[[0, -1]], torch.tensor([2.0, 500.0]), rtol=1e-3, atol=0)


def test_a_change_is_told_inside_an_episode_only() -> None:
    obs = torch.tensor([0.0, 1.0, 5.0, 7.0])[:, None, None]
    zeros = torch.zeros(4, 1)
    episodes = Episodes(obs, zeros[..., None], zeros, torch.tensor([[0.0], [1.0], [0.0], [1.0]]), torch.ones(4, 1))
    assert transitions(episodes, obs)[:, 0, -1].tolist() == [1, 0, 2, 0]
