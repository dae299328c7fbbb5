"""The build of the optional native core; everything else is in pyproject.toml.

Where the core can't be built (no cargo, no linker, no registry, a rustc that is too old), the install still
succeeds and the reference kernel runs. DEDUP_REQUIRE_CORE=1 makes that an error instead.
See docs/decisions/0001-build.md.
"""

import os
import shutil
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools_rust import Binding, RustExtension, build_rust

REQUIRED = os.environ.get("DEDUP_REQUIRE_CORE", "0") not in ("", "0")
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def compiled_cores(package: Path) -> list[Path]:
    """Compiled cores in this folder, of whatever platform and Python."""
    return [path for pattern in ("_core*.so", "_core*.pyd") for path in package.glob(pattern)]


class Build(build):
    """A build that starts from nothing, so that no core of an earlier build is packed."""

    def run(self):
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class BuildCore(build_rust):
    """The build of the core, which may fail, and leaves no other core beside the sources."""

    built = None  # where the compiled core was put

    def install_extension(self, ext, *args):
        super().install_extension(ext, *args)
        self.built = Path(self.get_dylib_ext_path(ext, ext.name)).resolve()

    def run(self):
        self.verbose = 0  # or cargo prints every call of rustc in full
        try:
            super().run()
        except Exception as error:
            if REQUIRED:
                raise
            print(error)
        if self.built is None and REQUIRED:
            raise RuntimeError("DEDUP_REQUIRE_CORE is set, but the native core was not built")
        if self.built is None:
            print("The native core was not built: the reference kernel will run, with the same results, slower.")
        if self.inplace:
            for core in compiled_cores(Path("dedup")):
                if core.resolve() != self.built:
                    core.unlink()


class Wheel(bdist_wheel):
    """A wheel tagged for what is in it: abi3 and platform with the core, any Python 3 without."""

    def initialize_options(self):
        super().initialize_options()
        # Free-threaded builds have no stable ABI: there a wheel is for one version of Python. Set here, not by
        # setup(options=...), which an editable install forgets.
        self.py_limited_api = False if FREE_THREADED else "cp311"

    def run(self):
        shutil.rmtree(self.bdist_dir, ignore_errors=True)
        super().run()

    def get_tag(self):
        if compiled_cores(Path(self.bdist_dir, "dedup")):
            return super().get_tag()
        self.root_is_pure = True
        return "py3", "none", "any"


setup(
    cmdclass={"build": Build, "build_rust": BuildCore, "bdist_wheel": Wheel},
    rust_extensions=[
        RustExtension(
            "dedup._core",
            path="core/Cargo.toml",
            binding=Binding.PyO3,
            features=["python"],
            cargo_manifest_args=["--locked"],
            debug=False,
            optional=not REQUIRED,
        )
    ],
)
