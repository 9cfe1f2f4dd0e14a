"""The backlog: order, and who is suspected after a loss."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import ImageRef, Provenance
from workers.engine.backlog import Backlog, Work
from workers.engine.requests import Request
from workers.loader import Casualty

PLENTY = 1000


def request(count: int) -> Request:
    return Request([ImageRef(n, str(n)) for n in range(count)], 1, Provenance())


def sent(backlog: Backlog, room: int = PLENTY) -> dict[int, tuple[int, ...]]:
    return {number: work.positions for number, work in backlog.send_out(room)}


def come_back(backlog: Backlog, number: int, count: int) -> list[int]:
    """Have all images of a piece come back; return the positions of those still awaited."""
    found = [backlog.come_back(number, place) for place in range(count)]
    return [position for _, position in filter(None, found)]


def crash(piece: int, position: int) -> Casualty:
    return Casualty(piece, position, hung=False)


def test_pieces_of_the_oldest_chunk_go_first() -> None:
    backlog = Backlog(2)
    first, second = request(3), request(2)
    backlog.add(first)
    backlog.add(second)
    assert [work for _, work in backlog.send_out(PLENTY)] == [
        Work(first, (0, 1)),
        Work(first, (2,)),
        Work(second, (0, 1)),
    ]


def test_no_more_goes_out_than_there_is_room_for() -> None:
    backlog = Backlog(2)
    backlog.add(request(9))
    assert len(sent(backlog, room=4)) == 2
    assert backlog.images_out(far=False) == 4
    assert not sent(backlog, room=0)


def test_after_a_loss_without_a_culprit_everything_goes_again_and_nobody_is_blamed() -> None:
    backlog = Backlog(2)
    backlog.add(request(4))
    sent(backlog)
    assert backlog.lose([Casualty(None, 0, hung=False)]) == []
    assert sorted(sent(backlog).values()) == [(0, 1), (2, 3)]


def test_a_piece_that_came_back_is_not_sent_again_and_a_late_copy_is_ignored() -> None:
    backlog = Backlog(2)
    backlog.add(request(4))
    (one, _), (two, _) = sent(backlog).items()
    assert come_back(backlog, one, 2) == [0, 1]
    backlog.lose([])
    assert list(sent(backlog).values()) == [(2, 3)]
    assert come_back(backlog, two, 2) == []


def test_the_culprit_goes_alone_and_last_and_its_second_crash_is_its_failure() -> None:
    backlog = Backlog(3)
    mine = request(6)
    backlog.add(mine)
    (one, _two) = sent(backlog)
    assert backlog.lose([crash(one, 1)]) == []
    again = sent(backlog)
    assert sorted(again.values()) == [(0, 2), (3, 4, 5)]
    for number, positions in again.items():
        come_back(backlog, number, len(positions))
    alone = sent(backlog)
    assert list(alone.values()) == [(1,)]
    backlog.add(request(3))
    assert not sent(backlog), "nothing goes out beside a suspect"
    ((culprit, position, failure),) = backlog.lose([crash(next(iter(alone)), 0)])
    assert (culprit, position, failure.code) == (mine, 1, "decoder_crashed")
    assert list(sent(backlog).values()) == [(0, 1, 2)]


def test_a_suspect_that_comes_back_is_acquitted() -> None:
    backlog = Backlog(2)
    backlog.add(request(1))
    (number,) = sent(backlog)
    backlog.lose([crash(number, 0)])
    (number,) = sent(backlog)
    assert come_back(backlog, number, 1) == [0]
    assert backlog.is_empty()


def test_a_hang_is_a_failure_at_once() -> None:
    backlog = Backlog(2)
    backlog.add(request(2))
    (number,) = sent(backlog)
    ((_, position, failure),) = backlog.lose([Casualty(number, 0, hung=True)])
    assert (position, failure.code) == (0, "timeout")
    assert list(sent(backlog).values()) == [(1,)]


def test_what_is_drained_is_told_and_gone() -> None:
    backlog = Backlog(1)
    requests = {request(2), request(1)}
    for each in requests:
        backlog.add(each)
    sent(backlog, room=1)
    assert backlog.drain() == requests
    assert backlog.is_empty()


@given(
    killers=st.sets(st.integers(0, 19)),
    innocent_deaths=st.lists(st.integers(0, 30), max_size=4),
    piece=st.integers(1, 7),
)
def test_every_image_ends_once_and_only_killers_are_condemned(
    killers: set[int], innocent_deaths: list[int], piece: int
) -> None:
    backlog, mine = Backlog(piece), request(20)
    backlog.add(mine)
    done: list[int] = []
    condemned: list[int] = []
    for step in range(1000):
        out = list(backlog.send_out(8))
        if not out and backlog.is_empty():
            break
        number, work = out[0] if out else next((n, o.work) for n, o in backlog._out.items())
        deadly = [p for p in work.positions if p in killers]
        if deadly:
            lost = backlog.lose([crash(number, work.positions.index(deadly[0]))])
            condemned += [position for _, position, _ in lost]
        elif step in innocent_deaths:
            assert backlog.lose([Casualty(None, 0, hung=False)]) == []
        else:
            done += come_back(backlog, number, len(work.positions))
    assert sorted(done) == sorted(set(range(20)) - killers)
    assert sorted(condemned) == sorted(killers)


def far_request(*uris: str) -> Request:
    return Request([ImageRef(n, uri) for n, uri in enumerate(uris)], 1, Provenance())


def test_images_to_download_take_no_room_of_the_others() -> None:
    backlog = Backlog(2, lambda uri: uri == "far")
    backlog.add(far_request("far", "near", "far", "near", "far"))
    assert {n.positions for _, n in backlog.send_out(2, far_room=2)} == {(0, 2), (1, 3)}
    assert (backlog.images_out(far=True), backlog.images_out(far=False)) == (2, 2)
    assert [n.positions for _, n in backlog.send_out(1, far_room=1)] == [(4,)]
    assert not list(backlog.send_out(PLENTY, PLENTY))


def test_nothing_is_downloaded_while_the_model_has_no_room() -> None:
    backlog = Backlog(2, lambda _: True)
    backlog.add(far_request("a"))
    assert not list(backlog.send_out(0, far_room=PLENTY))


def test_what_came_back_of_a_lost_piece_is_not_done_again_and_the_right_image_is_suspected() -> (
    None
):
    backlog = Backlog(4)
    mine = request(4)
    backlog.add(mine)
    (number,) = sent(backlog)
    assert backlog.come_back(number, 0) == (mine, 0)
    assert backlog.come_back(number, 2) == (mine, 2)
    assert backlog.come_back(number, 2) is None
    assert backlog.lose([crash(number, 3)]) == []
    assert list(sent(backlog).values()) == [(1,)]
    assert come_back(backlog, number + 1, 1) == [1]
    assert list(sent(backlog).values()) == [(3,)]
