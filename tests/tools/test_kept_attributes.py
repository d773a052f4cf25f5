"""
Tests for L{openclaw.tools.file_contents}: what a replaced file keeps.
"""

import os
import shutil
import stat
import subprocess
import sys

from twisted.trial.unittest import SkipTest

from tests.tools.file_case import FileToolTestCase

IN_NAMESPACE = """
import subprocess, sys
from pathlib import Path
from threading import Event
from openclaw.tools.confinement import PathRefused, Workspace
from openclaw.tools.file_contents import replaceFile

root, kind = Path(sys.argv[1]), sys.argv[2]
file = root / "d" / "a"

def bind(source, target):
    subprocess.run(["mount", "--bind", str(source), str(target)], check=True)

beside = root.parent / "beside"
beside.write_text("")
bind(file, beside)
if kind == "readonly":
    bind(root, root)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
bind(beside, file)
with Workspace(root).target("d/a") as target:
    try:
        print(replaceFile(target, b"new", Event()))
    except PathRefused as error:
        print(error)
print(file.read_text())
"""
RUN_IN_NAMESPACE = ("unshare", "-Urm", sys.executable, "-c", IN_NAMESPACE)
"""
Mounts a file, and replaces it.
"""


class AttributesTests(FileToolTestCase):
    """
    A replaced file keeps its owner, group, mode and extended attributes.
    """

    def attributesOf(self, path):
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}

    async def test_extended(self):
        """
        Extended attributes stay, and so does the absence of others.
        """
        path = self.put("a", "old")
        try:
            os.setxattr(path, "user.note", b"mine")
            os.setxattr(path, "user.binary", b"\0\xff")
        except OSError as error:
            raise SkipTest("no extended attributes here") from error
        await self.edit("a", "old", "new")
        self.assertEqual(
            self.attributesOf(path), {"user.note": b"mine", "user.binary": b"\0\xff"}
        )
        await self.write("a", "newer")
        self.assertEqual(os.getxattr(path, "user.note"), b"mine")
        self.assertEqual(path.read_text(), "newer")

    async def test_accessList(self):
        """
        The access list stays, and the directory's default is not taken instead.
        """
        if shutil.which("setfacl") is None:
            raise SkipTest("setfacl is not installed")
        listed, plain = self.put("listed", "old"), self.put("plain", "old")
        subprocess.run(["setfacl", "-m", "u:12345:rw", listed], check=True)
        subprocess.run(
            ["setfacl", "-d", "-m", "u:54321:rw", self.workspace], check=True
        )
        before = self.attributesOf(listed)
        await self.edit("listed", "old", "new")
        await self.edit("plain", "old", "new")
        self.assertIn("system.posix_acl_access", before)
        self.assertEqual(self.attributesOf(listed), before)
        self.assertEqual(self.attributesOf(plain), {})

    async def test_owner(self):
        """
        The owner and the group stay, and the bits of the mode that a change of the
        owner clears.
        """
        if os.geteuid() != 0:
            raise SkipTest("only the superuser can give a file away")
        path = self.put("a", "old")
        os.chown(path, 12345, 54321)
        path.chmod(0o6750)
        await self.edit("a", "old", "new")
        status = path.stat()
        self.assertEqual((status.st_uid, status.st_gid), (12345, 54321))
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o6750)
        self.assertEqual(path.read_text(), "new")


class HardLinkTests(FileToolTestCase):
    """
    A hard link parts from its other names, and the result says so.
    """

    async def test_parted(self):
        """
        The other name keeps the old contents.
        """
        path = self.put("a", "old")
        os.link(path, self.workspace / "b")
        told = await self.edit("a", "old", "new")
        self.assertEqual(
            told,
            "Changed a: replaced once. Its other hard links keep the old contents.",
        )
        self.assertEqual((self.workspace / "b").read_text(), "old")
        told = await self.write("a", "newer")
        self.assertEqual(told, "Replaced a: 5 bytes.")


class MountTests(FileToolTestCase):
    """
    A file that is a mount of its own can't be replaced by another; it is overwritten.
    """

    def replace(self, kind):
        """
        Replace a mounted file in a namespace.

        @return: The result, and the contents then.
        """
        self.put("d/a", "the old contents")
        ran = subprocess.run(
            [*RUN_IN_NAMESPACE, str(self.workspace), kind],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        if "unshare" in ran.stderr or "mount: " in ran.stderr:
            raise SkipTest("no namespaces here")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout.splitlines()

    def test_mounted(self):
        """
        It is overwritten, and the result says so; nothing else is left.
        """
        told, contents = self.replace("plain")
        self.assertEqual(told, " It was overwritten in place.")
        self.assertEqual(contents, "new")
        self.assertEqual(self.names(), ["d"])
        self.assertEqual(os.listdir(self.workspace / "d"), ["a"])

    def test_readOnlyRoot(self):
        """
        So is one in a workspace that is otherwise read-only.
        """
        told, contents = self.replace("readonly")
        self.assertEqual(told, " It was overwritten in place.")
        self.assertEqual(contents, "new")

    def test_linked(self):
        """
        A mounted file with another name is refused: that name may be outside.
        """
        self.put("d/a", "the old contents")
        os.link(self.workspace / "d" / "a", self.outside / "b")
        told, contents = self.replace("plain")
        self.assertEqual(told, "it has other hard links, and can't be replaced")
        self.assertEqual(contents, "the old contents")
