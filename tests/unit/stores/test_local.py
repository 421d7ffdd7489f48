"""The local store: what a crash leaves, what errors become, what a probe refuses."""

import errno
import fcntl
import gc
import os
import resource
import stat
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from arrowflow.checksums import crc32c
from arrowflow.errors import AlreadyExists, ConfigError, ObjectMissing, RetryableError
from arrowflow.failpoints import FailpointHit, Failpoints
from arrowflow.stores import filesystem, local
from arrowflow.stores.local import LocalStore


def armed(plan):
    return LocalStore(Failpoints.parse(plan))


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


def _unmount(folder, patience_s=20.0):
    """Whatever else this process does may hold a file there a little longer: the frames of an error, say."""
    until = time.monotonic() + patience_s
    while True:
        gc.collect()
        done = subprocess.run(["umount", str(folder)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > until:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)  # leave nothing behind, and say so
            raise AssertionError(f"files are still open in {folder}: {done.stderr.strip()}")
        time.sleep(0.2)


@contextmanager
def mounted(folder, *options):
    """A file system of its own at `folder`; skips where this user may not mount."""
    Path(folder).mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        yield Path(folder)
    finally:
        _unmount(folder)


@contextmanager
def no_file_handle_left():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        yield
    finally:
        for handle in taken:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_row_84_a_full_disk_leaves_no_object_and_no_temporary_file(tmp_path):
    with pytest.raises(RetryableError, match=r"a/b.*No space left.*ENOSPC.*free space"):
        armed("fs.enospc:1:enospc").create(f"{tmp_path}/a/b", b"rows")

    assert files_in(tmp_path) == []


def test_row_84_a_truly_full_file_system_refuses_and_recovers_when_freed(tmp_path):
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs") as disk:
        store = LocalStore()
        store.create(f"{disk}/old", b"x" * 600_000)

        with pytest.raises(RetryableError, match="ENOSPC"):
            store.create(f"{disk}/new", b"y" * 600_000)
        assert files_in(disk) == ["old"]
        store.delete(f"{disk}/old")
        store.create(f"{disk}/new", b"y" * 600_000)
        assert store.read(f"{disk}/new") == b"y" * 600_000


def test_row_84_no_inode_left_is_retryable(tmp_path):
    with mounted(tmp_path / "few", "-t", "tmpfs", "-o", "nr_inodes=4", "tmpfs") as disk:
        LocalStore().create(f"{disk}/1", b"")
        LocalStore().create(f"{disk}/2", b"")
        (disk / "3").touch()

        with pytest.raises(RetryableError, match=r"ENOSPC.*inodes"):
            LocalStore().create(f"{disk}/4", b"")
        assert not [name for name in files_in(disk) if name.startswith(".af-")]


def test_row_84_a_read_only_file_system_stops_with_its_name(tmp_path):
    with mounted(tmp_path / "ro", "-t", "tmpfs", "-o", "ro", "tmpfs") as disk:
        with pytest.raises(ConfigError, match=r"ro/a.*EROFS.*read-only"):
            LocalStore().create(f"{disk}/a", b"rows")
        with pytest.raises(ConfigError, match="EROFS"):
            LocalStore().probe([f"{disk}/control"])


def test_row_84_no_file_handle_left_is_retryable_and_leaves_nothing(tmp_path):
    store = LocalStore()
    store.create(f"{tmp_path}/warm", b"")
    with no_file_handle_left(), pytest.raises(RetryableError, match="EMFILE"):
        store.create(f"{tmp_path}/a", b"rows")

    assert files_in(tmp_path) == ["warm"]


def test_row_84_a_device_error_in_the_last_flush_is_retryable_and_the_next_call_tells_the_truth(tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(RetryableError, match="EIO"):
        LocalStore().create(f"{tmp_path}/a", b"rows")
    # The name exists but is not durable: "taken" must not be said before it is.
    with pytest.raises(RetryableError, match="EIO"):
        LocalStore().create(f"{tmp_path}/a", b"rows")
    monkeypatch.setattr(os, "fsync", real)
    with pytest.raises(AlreadyExists):
        LocalStore().create(f"{tmp_path}/a", b"rows")


@pytest.mark.parametrize("point", ["fs.fsync_file", "fs.enospc"])
def test_a_failure_before_the_link_leaves_the_name_free(tmp_path, point):
    with pytest.raises(FailpointHit):
        armed(f"{point}:1:raise").create(f"{tmp_path}/a", b"rows")

    assert files_in(tmp_path) == []
    LocalStore().create(f"{tmp_path}/a", b"rows")


def test_a_failure_after_the_link_leaves_the_whole_object(tmp_path):
    with pytest.raises(FailpointHit):
        armed("fs.fsync_dir:1:raise").create(f"{tmp_path}/a", b"rows")

    assert files_in(tmp_path) == ["a"]
    assert LocalStore().read(f"{tmp_path}/a") == b"rows"


def test_a_move_cut_between_link_and_unlink_is_completed_by_the_next_one(tmp_path):
    LocalStore().create(f"{tmp_path}/from/a", b"rows")
    with pytest.raises(FailpointHit):
        armed("publish.between_link_unlink:1:raise").move_once(f"{tmp_path}/from/a", f"{tmp_path}/to/a")
    assert files_in(tmp_path) == ["from/a", "to/a"]

    LocalStore().move_once(f"{tmp_path}/from/a", f"{tmp_path}/to/a")

    assert files_in(tmp_path) == ["to/a"]


def test_a_move_writes_no_other_name_into_the_target_folder(tmp_path):
    (tmp_path / "to").mkdir()
    LocalStore().create(f"{tmp_path}/from/a", b"rows")
    seen = []

    class Watch(Failpoints):
        def hit(self, name):
            seen.append((name, files_in(tmp_path / "to")))

    LocalStore(Watch()).move_once(f"{tmp_path}/from/a", f"{tmp_path}/to/a")

    assert {tuple(names) for _, names in seen} == {("a",)}
    assert [name for name, _ in seen if name.startswith("publish")] == ["publish.between_link_unlink", "publish.after"]


def test_folders_emptied_by_a_move_are_removed_and_come_back_when_needed(tmp_path):
    store = LocalStore()
    store.create(f"{tmp_path}/control/staging/7/try/gold/0", b"rows")
    store.create(f"{tmp_path}/control/job.json", b"")

    store.move_once(f"{tmp_path}/control/staging/7/try/gold/0", f"{tmp_path}/table/a")

    assert [path.name for path in (tmp_path / "control").iterdir()] == ["job.json"]
    store.create(f"{tmp_path}/control/staging/7/try/gold/1", b"more")


def test_a_folder_removed_under_a_create_is_made_again(tmp_path, monkeypatch):
    store, real = LocalStore(), os.link
    links = []

    def link(source, target):
        links.append(target)
        if len(links) == 1:
            Path(source).unlink()
            Path(target).parent.rmdir()
        real(source, target)

    monkeypatch.setattr(os, "link", link)
    store.create(f"{tmp_path}/staging/a", b"rows")

    assert store.read(f"{tmp_path}/staging/a") == b"rows"
    assert len(links) == 2


def test_a_folder_removed_under_a_replacement_is_no_error(tmp_path, monkeypatch):
    store, real = LocalStore(), os.open
    store.create(f"{tmp_path}/table/a", b"old")
    store.create(f"{tmp_path}/staging/a", b"new")

    def open_(path, *arguments):
        if path == f"{tmp_path}/staging":
            Path(path).rmdir()  # another one who replaces it is a step ahead
        return real(path, *arguments)

    monkeypatch.setattr(os, "open", open_)
    store.replace_once(f"{tmp_path}/staging/a", f"{tmp_path}/table/a", was=crc32c(b"old"), becomes=crc32c(b"new"))

    assert store.read(f"{tmp_path}/table/a") == b"new"
    assert not (tmp_path / "staging").exists()


def test_temporary_files_of_dead_processes_are_swept_and_those_of_living_ones_kept(tmp_path):
    dead, alive = tmp_path / ".af-dead.tmp", tmp_path / ".af-alive.tmp"
    for temp in (dead, alive):
        temp.write_bytes(b"half")
    with alive.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        LocalStore().create(f"{tmp_path}/a", b"rows")

        assert not dead.exists()
        assert alive.exists()
    assert LocalStore().list(str(tmp_path)) == [f"{tmp_path}/a"]


def test_a_published_file_can_be_read_by_others(tmp_path):
    before = os.umask(0o022)
    try:
        LocalStore().create(f"{tmp_path}/a", b"rows")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(ConfigError, match="ENOTDIR"):
        LocalStore().create(f"{tmp_path}/a/b", b"rows")


def test_a_relative_path_is_refused():
    with pytest.raises(ConfigError, match="absolute"):
        LocalStore().create("a", b"rows")


def test_reading_a_folder_is_reading_nothing(tmp_path):
    with pytest.raises(ObjectMissing):
        LocalStore().read(str(tmp_path))


def test_a_listing_after_a_record_opens_only_the_newest_folder(tmp_path, monkeypatch):
    store = LocalStore()
    for epoch in (0, 999, 1000, 1999, 2000, 2001):
        store.create(f"{tmp_path}/{epoch // 1000:017d}/{epoch:020d}.json", b"")
    opened, real = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: opened.append(Path(folder).name) or real(folder))

    assert len(store.list(str(tmp_path), f"{tmp_path}/{2:017d}/{2000:020d}.json")) == 1
    assert opened[1:] == [f"{2:017d}"]


def test_an_unreadable_folder_is_never_an_empty_one(tmp_path, monkeypatch):
    def scandir(folder):
        raise OSError(errno.EIO, "Input/output error", folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(RetryableError, match="EIO"):
        LocalStore().list(str(tmp_path))


def test_a_probe_writes_nothing_into_a_table_root(tmp_path, monkeypatch):
    (tmp_path / "table").mkdir()
    made, real = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *rest: made.append(str(path)) or real(path, *rest))

    LocalStore().probe([f"{tmp_path}/control", f"{tmp_path}/table"])

    assert made
    assert not [path for path in made if path.startswith(f"{tmp_path}/table")]
    assert files_in(tmp_path) == []


def test_a_probe_passes_no_failpoint(tmp_path):
    armed("fs.fsync_file:1:raise,publish.after:1:raise,fs.fsync_dir:1:raise").probe([str(tmp_path)])


@pytest.mark.parametrize("step", ["rename", "unlink"])
def test_what_a_killed_probe_leaves_goes_with_the_next(tmp_path, monkeypatch, step):
    class Killed(BaseException):
        pass

    def die(self, *names, **more):
        raise Killed

    verb = {"rename": "move_once", "unlink": "delete"}[step]
    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, verb, die)
        with pytest.raises(Killed):
            LocalStore().probe([str(tmp_path)])
    assert [".af-probe-" in path for path in files_in(tmp_path)] == [True]

    LocalStore().probe([str(tmp_path)])
    assert files_in(tmp_path) == []


def test_a_probe_that_another_sweeps_before_it_is_locked_is_made_again_and_a_locked_one_is_left_alone(
    tmp_path, monkeypatch
):
    real, swept = LocalStore.create, []

    def create(self, path, data):
        real(self, path, data)
        if not swept:
            swept.append(path)
            local._sweep(str(tmp_path))  # nobody holds its lock yet

    def move_once(self, source, target, **rest):
        local._sweep(str(tmp_path))
        move(self, source, target, **rest)

    move = LocalStore.move_once
    monkeypatch.setattr(LocalStore, "create", create)
    monkeypatch.setattr(LocalStore, "move_once", move_once)
    LocalStore().probe([str(tmp_path)])

    assert len(swept) == 1
    assert files_in(tmp_path) == []


def test_a_table_on_another_file_system_is_refused_with_both_places(tmp_path):
    with mounted(tmp_path / "other", "-t", "tmpfs", "tmpfs") as disk:
        with pytest.raises(ConfigError, match=rf"{tmp_path}/control to {disk}/table.*EXDEV.*one file system"):
            LocalStore().probe([f"{tmp_path}/control", f"{disk}/table"])
        assert files_in(disk) == []


def test_a_table_on_another_mount_of_the_same_disk_is_refused_too(tmp_path):
    (tmp_path / "real").mkdir()
    with mounted(tmp_path / "again", "--bind", str(tmp_path / "real")) as disk:
        assert disk.stat().st_dev == tmp_path.stat().st_dev

        with pytest.raises(ConfigError, match="EXDEV"):
            LocalStore().probe([f"{tmp_path}/control", f"{disk}/table"])


@pytest.mark.parametrize("pair", [("a", "a/b"), ("a/b", "a"), ("a", "a")])
def test_a_table_inside_the_control_prefix_or_around_it_is_refused(tmp_path, pair):
    with pytest.raises(ConfigError, match="lies inside"):
        LocalStore().probe([f"{tmp_path}/{folder}" for folder in pair])


def test_a_neighbour_whose_name_begins_alike_is_not_inside(tmp_path):
    LocalStore().probe([f"{tmp_path}/lake", f"{tmp_path}/lake2"])


def test_a_network_disk_is_refused_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(filesystem, "_mounts", lambda: iter([("/", "ext4"), (str(tmp_path), "nfs4")]))

    with pytest.raises(ConfigError, match=rf"{tmp_path}/control is on nfs4 \(mounted at {tmp_path}\)"):
        LocalStore().probe([f"{tmp_path}/control"])


def test_a_file_system_without_links_is_refused_with_its_name(tmp_path, monkeypatch):
    def link(source, target):
        raise OSError(errno.EPERM, "Operation not permitted", source)

    monkeypatch.setattr(filesystem, "_mounts", lambda: iter([("/", "exfat")]))
    monkeypatch.setattr(os, "link", link)
    with pytest.raises(ConfigError, match=r"\(on exfat\) cannot hold the commit log: hard links"):
        LocalStore().probe([str(tmp_path)])


def test_the_newest_mount_over_a_folder_counts_and_odd_names_are_read(tmp_path, monkeypatch):
    folder = tmp_path / "a b"
    folder.mkdir()
    table = f"/dev/x / ext4 rw 0 0\n/dev/y {str(folder).replace(' ', chr(92) + '040')} xfs rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda self: table)

    assert filesystem.file_system_of(f"{folder}/deeper/still") == filesystem.FileSystem(str(folder), "xfs")
