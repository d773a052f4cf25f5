"""
Tests for L{openclaw.tools.file_globs}: the files that C{grep} searches.
"""

import shutil
import subprocess

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from openclaw.tools.file_globs import BadGlob, compileGlobs, splitGlobs
from openclaw.tools.grep import GrepTool
from openclaw.tools.grep_main import Include
from tests.tools.tool_case import ToolTestCase

FILES = (
    "a.ts",
    "b.tsx",
    "c.js",
    ".hidden.ts",
    "src/a.ts",
    "src/deep/er/x.ts",
    "src/deep/y.tsx",
    "src/[id].ts",
    "src/i.ts",
    "src/{a}.ts",
    "lib/a1.ts",
    "lib/ab.ts",
    "node_modules/m/index.ts",
    "test/t.ts",
)


def selected(globs, base=""):
    """
    Return the files that globs select.
    """
    include = Include(compileGlobs(globs, "/srv/space"), base)
    return {
        path
        for path in FILES
        if include.selects(path)
        and all(
            include.enters(path.rsplit("/", count)[0])
            for count in range(1, path.count("/") + 1)
        )
    }


class GlobTests(SynchronousTestCase):
    """
    Globs select files as those of C{ripgrep} do.
    """

    def test_selected(self):
        """
        A name is matched anywhere, a path from the workspace; later globs decide over
        earlier ones.
        """
        typescript = {path for path in FILES if path.endswith(".ts")}
        for globs, expected in [
            ("*.ts", typescript),
            ("*.{ts,tsx}", typescript | {"b.tsx", "src/deep/y.tsx"}),
            ("*.{js}", {"c.js"}),
            ("**/*.ts", typescript),
            ("src/**/*.ts", {p for p in typescript if p.startswith("src/")}),
            ("src/*.ts", {"src/a.ts", "src/[id].ts", "src/i.ts", "src/{a}.ts"}),
            ("./src/a.ts", {"src/a.ts"}),
            ("/a.ts", {"a.ts"}),
            ("/srv/space/src/a.ts", {"src/a.ts"}),
            ("src/a.ts", {"src/a.ts"}),
            ("src/[id].ts", {"src/[id].ts", "src/i.ts"}),
            ("src/\\[id\\].ts", {"src/[id].ts"}),
            ("src/\\{a\\}.ts", {"src/{a}.ts"}),
            ("[[:alpha:]][[:digit:]].ts", {"lib/a1.ts"}),
            ("a[!0-9].ts", {"lib/ab.ts"}),
            ("a[^0-9].ts", {"lib/ab.ts"}),
            ("?.js", {"c.js"}),
            ("!*.ts", {"b.tsx", "c.js", "src/deep/y.tsx"}),
            ("!src", set(FILES) - {p for p in FILES if p.startswith("src/")}),
            ("!node_modules/", set(FILES) - {"node_modules/m/index.ts"}),
            ("!**/node_modules/**", set(FILES) - {"node_modules/m/index.ts"}),
            ("!src/[id].ts", set(FILES) - {"src/[id].ts", "src/i.ts"}),
            (["*.ts", "!src/**"], typescript - {p for p in FILES if "src/" in p}),
            (["!*.ts", "a.ts"], {"a.ts", "src/a.ts"}),
            ("*.js,*.tsx", {"c.js", "b.tsx", "src/deep/y.tsx"}),
            ("*.js, *.tsx", {"c.js", "b.tsx", "src/deep/y.tsx"}),
            ("src", {p for p in FILES if p.startswith("src/")}),
            ("src/deep/", {"src/deep/er/x.ts", "src/deep/y.tsx"}),
            ("te*", {"test/t.ts"} & set()),
            ("*.TS", set()),
        ]:
            self.assertEqual(selected(globs), expected, globs)

    def test_below(self):
        """
        Of a directory that is searched, a path may begin there or in the workspace.
        """
        include = Include(compileGlobs("src/*.ts,deep/*.tsx", "/w"), "src")
        self.assertTrue(include.selects("a.ts"))
        self.assertTrue(include.selects("deep/y.tsx"))
        self.assertFalse(include.selects("deep/er/x.ts"))

    def test_refused(self):
        """
        A glob that is not understood is refused with the reason.
        """
        for glob, why in [
            ("*.{ts,tsx", "a brace of '*.{ts,tsx' is not closed"),
            ("src/[ab.ts", "a bracket of 'src/[ab.ts' is not closed"),
            ("[[:alpha:].ts", "is not closed"),
            ("a\\", "ends with a backslash"),
            (" , ", "has no glob"),
            ("!", "is outside the workspace"),
            ("../a.ts", "is outside the workspace"),
            ("{a,b}" * 20, "Pattern limit exceeded"),
        ]:
            with self.assertRaises(BadGlob) as caught:
                compileGlobs(glob, "/w")
            self.assertIn(why, str(caught.exception))

    @given(st.lists(st.sampled_from(["a", "*", "{a,b}", "[a,b]", "!"]), min_size=1))
    def test_split(self, parts):
        """
        Commas separate globs, except within braces and brackets.
        """
        self.assertEqual(splitGlobs(",".join(parts)), parts)

    @given(st.text(st.sampled_from("ab*?[]{},!/.\\:^-"), max_size=12))
    def test_anything(self, glob):
        """
        Any glob is compiled to valid expressions, or refused.
        """
        try:
            Include(compileGlobs(glob, "/w"), "").selects("a/b.ts")
        except BadGlob:
            pass


class RipgrepTests(ToolTestCase):
    """
    C{ripgrep} selects the same files.
    """

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [
                    "*.ts",
                    "*.{ts,js}",
                    "src/**",
                    "**/deep/**",
                    "!*.tsx",
                    "!lib",
                    "src/*.ts",
                    "a?.ts",
                    "[ab]*",
                    "!node_modules",
                    "/*.ts",
                    "**/a*",
                ]
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_same(self, globs):
        if shutil.which("rg") is None:
            raise SkipTest("ripgrep is not installed")
        for path in FILES:
            self.put(path, "x")
        options = [option for glob in globs for option in ("-g", glob)]
        listed = subprocess.run(
            ["rg", "--files", "--hidden", "--no-ignore", *options],
            cwd=self.workspace,
            capture_output=True,
            text=True,
        )
        self.assertEqual(selected(globs), set(listed.stdout.split()), globs)


class ToolTests(ToolTestCase):
    """
    The tool says if nothing could be found.
    """

    def grep(self, **arguments):
        return GrepTool().run({"pattern": "x", **arguments}, self.context())

    async def test_list(self):
        """
        Globs may come as a list, and the directories of negated ones are not searched.
        """
        for path in FILES:
            self.put(path, "x")
        told = await self.grep(include=["*.ts", "!src/**", "!node_modules"])
        self.assertEqual(
            told.split("\n"),
            [f"{path}:1:x" for path in [".hidden.ts", "a.ts"]]
            + [f"{path}:1:x" for path in ["lib/a1.ts", "lib/ab.ts", "test/t.ts"]],
        )

    async def test_none(self):
        """
        A glob that matches no file is reported as such, and a wrong one is an error.
        """
        self.put("a.ts", "x")
        self.assertEqual(
            await self.grep(include="*.py"), "[nothing found: no file matches include]"
        )
        told = await self.failing(self.grep(include="*.{ts"))
        self.assertEqual(
            told, "include is not a valid glob: a brace of '*.{ts' is not closed."
        )
