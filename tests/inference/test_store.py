"""Rows kept by example: in memory or in a file without a name."""

import errno
import os
import signal
import tempfile

import pytest
import torch
from crash.runs import forked

from unteach.errors import UserError
from unteach.inference.store import HiddenStateStore

SIZES = {4: 2, 0: 3, 7: 0, 2: 1}


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_rows_come_back_in_the_order_asked_for(in_memory, dtype):
    store = HiddenStateStore(SIZES, 5, dtype, in_memory=in_memory)
    rows = {i: torch.randn(n, 5).to(dtype) for i, n in SIZES.items()}
    for number, found in rows.items():
        store.put(number, found)
    assert store.bytes == 6 * 5 * dtype.itemsize
    for asked in ([4], [2, 0], [7], [0, 7, 4, 2], [2, 2]):
        assert torch.equal(store.rows(asked), torch.cat([rows[i] for i in asked]))
    with pytest.raises(KeyError):
        store.rows([1])


def test_a_large_store_is_a_file_without_a_name(tmp_path, monkeypatch):
    """So that it goes with the process, and no other user can open it meanwhile."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = HiddenStateStore(SIZES, 5, torch.float32, in_memory=0)
    store.put(4, torch.ones(2, 5))
    assert os.listdir(tmp_path) == []
    assert store.rows([4]).sum() == 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_nothing_is_left_by_a_process_that_was_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def killed():
        HiddenStateStore({0: 1000}, 100, torch.float32, in_memory=0).put(0, torch.ones(1000, 100))
        os.kill(os.getpid(), signal.SIGKILL)

    assert forked(killed) == -signal.SIGKILL
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="nothing takes room there")
def test_a_full_disk_is_told_at_once(monkeypatch):
    """Written to later, it would end the process by SIGBUS."""

    def full(handle, start, size):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match="the disk is full"):
        HiddenStateStore({0: 2}, 4, torch.float32, in_memory=8)
