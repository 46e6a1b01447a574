"""The queue between the thread that takes frames and the network."""

from __future__ import annotations

import threading

import numpy as np

from mobind_live.devices.camera.video import Frame, FrameQueue


def frame(t_ns: int) -> Frame:
    return Frame(image=np.zeros((2, 2, 3), np.uint8), t_ns=t_ns, received_ns=t_ns)


def test_the_queue_keeps_the_newest_and_counts_the_rest():
    queue = FrameQueue(2, wait=False)
    for t in range(5):
        queue.put(frame(t))
    kept = [queue.get(), queue.get()]
    assert [one.t_ns for one in kept if one is not None] == [3, 4]
    assert queue.take_dropped() == 3
    assert queue.take_dropped() == 0
    assert queue.get() is None


def test_a_waiting_queue_loses_nothing_and_lets_go_when_closed():
    bell = threading.Event()
    queue = FrameQueue(1, wait=True, bell=bell)
    put = threading.Thread(target=lambda: [queue.put(frame(t)) for t in range(4)])
    put.start()
    got: list[Frame] = []
    while len(got) < 4:
        bell.wait(5)
        if (one := queue.get()) is not None:
            got.append(one)
    put.join(5)
    assert [one.t_ns for one in got] == [0, 1, 2, 3]
    queue.put(frame(9))
    stuck = threading.Thread(target=queue.put, args=(frame(10),))
    stuck.start()
    queue.close()
    stuck.join(5)
    assert not stuck.is_alive()
