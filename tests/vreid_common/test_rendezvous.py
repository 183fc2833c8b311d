"""Finding the other processes of a run, or saying whom one waits for and giving up."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vreid_common.errors import InputError
from vreid_common.rendezvous import Address, Patience, find_store, keep_store, meet, parse_address, store_of_environment


@pytest.mark.parametrize(
    "url",
    [
        "foo://host:1",
        "file:///tmp/x",
        "env://",
        "tcp://host",
        "tcp://:29500",
        "tcp://host:99999",
        "tcp://host:x",
        "host:29500",
        "",
    ],
)
def test_urls_that_name_no_address_are_refused(url: str):
    with pytest.raises(InputError, match=r"--dist-url is .*: use tcp://HOST:PORT"):
        parse_address(url)


def test_addresses_are_read():
    assert parse_address("tcp://10.0.0.1:29500") == Address("10.0.0.1", 29500)
    assert str(parse_address("tcp://[::1]:29500")) == "tcp://[::1]:29500"


def test_a_machine_that_does_not_answer_is_named_at_once_and_given_up_in_time():
    said: list[str] = []
    with socket.socket() as server:  # bound, but nobody listens
        server.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", server.getsockname()[1])
        with pytest.raises(InputError) as error:
            find_store(address, "machine 0", Patience(1.0, "DISTRIBUTED.START_TIMEOUT", said.append))
    assert len(said) == 1
    assert said[0].startswith(f"Waiting for machine 0 at {address} (Connection refused), until ")
    assert f"Waited 1 s (DISTRIBUTED.START_TIMEOUT) for machine 0 at {address} (Connection refused), in" in str(error.value)


def test_a_store_that_comes_later_is_found():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    stores = []
    timer = threading.Timer(0.5, lambda: stores.append(keep_store(port)))
    timer.start()
    found = find_store(Address("127.0.0.1", port), "machine 0", Patience(60.0))
    timer.join()
    stores[0].set("key", "value")
    assert found.get("key") == b"value"


def test_a_port_that_is_taken_is_said():
    store = keep_store(0)
    with pytest.raises(InputError, match=f"Port {store.port} of --dist-url cannot be used .*another program uses it"):
        keep_store(store.port)


def test_all_meet_and_who_is_missing_is_named():
    store = keep_store(0)
    names = ["process 0", "process 1", "process 2"]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda number: meet(store, "here", number, names, Patience(60.0)), range(3))) == [None] * 3
    said: list[str] = []
    with pytest.raises(InputError, match="Waited 0.5 s for process 0, process 2, in vain"):
        meet(store, "later", 1, names, Patience(0.5, say=said.append))
    assert len(said) == 1


def test_two_with_the_same_number_are_refused():
    store = keep_store(0)
    names = ["machine 0", "machine 1"]
    store.add("here/0", 1)
    meet(store, "here", 1, names, Patience(60.0))
    with pytest.raises(InputError, match="Two came to the run as machine 1"):
        meet(store, "here", 1, names, Patience(60.0))


def test_process_0_keeps_the_store_where_torchrun_does_not(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    with ThreadPoolExecutor(2) as pool:
        other, main = pool.map(lambda rank: store_of_environment(rank, Patience(60.0)), (1, 0))
    main.set("key", "value")
    assert other.get("key") == b"value"
    monkeypatch.setenv("MASTER_PORT", "")
    with pytest.raises(InputError, match="MASTER_PORT is ''"):
        store_of_environment(0, Patience(1.0))
