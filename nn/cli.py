"""The command `glassgrad`: train and draw a demonstration, or look over this machine."""

import argparse
import os
import sys
import tomllib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from importlib import import_module, metadata
from pathlib import Path
from typing import NoReturn

import backends

from .gallery import examples

EPILOG = """\
examples:
  glassgrad demo                         an MLP on 1,797 handwritten digits, on the CPU
  glassgrad demo --backend cupy          the same on an NVIDIA GPU
  glassgrad demo --model moons --out m   a scalar MLP and its decision boundary, written to m/
  glassgrad train                        the gallery: networks of every kind on real data
  glassgrad train digits_cnn             one of them, written to glassgrad-train/digits_cnn/
  glassgrad watch run                    the training that is being recorded in run/, as a page
  glassgrad playground                   a small network to play with, its gradients as it learns
  glassgrad doctor                       what this machine has, and how to get what it lacks
  glassgrad cache --clear                remove the programs that jit has compiled

AUTOGRAD_BACKEND=cupy is the same choice as --backend cupy, for any program that uses Glassgrad.
"""

MODELS = ("digits", "moons")
EXTRAS = {
    "sklearn": "data", "statsmodels": "data", "matplotlib": "viz", "resvg_py": "viz",
    "optuna": "tune",
}  # fmt: skip


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, instead of after ten lines of usage."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 if all is well, 1 for a fault found, 2 for an impossible wish."""
    try:
        status = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; Python's own last flush must not say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # the shell's number for a program ended by a closed pipe
    return status


def _run(argv: Sequence[str] | None) -> int:
    parser = _parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    if args.command in ("doctor", "cache"):
        return _doctor(args) if args.command == "doctor" else _cache(args)
    command = {"demo": _demo, "train": _train, "watch": _watch, "playground": _playground}
    return _guarded(args, command[args.command])


def version() -> str:
    """The installed version, or what `pyproject.toml` says where nothing is installed."""
    try:
        return metadata.version("glassgrad")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        told = tomllib.loads(project.read_text())["project"]["version"]
        return f"{told} (not installed)"


def _parser() -> Parser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = Parser(
        "glassgrad",
        description="The autograd engine you can see through.",
        epilog=EPILOG,
        formatter_class=shape,
    )
    parser.add_argument("--version", action="version", version=f"glassgrad {version()}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    demo = commands.add_parser(
        "demo",
        help="train on real data; draw the training and its gradients",
        epilog=EPILOG,
        formatter_class=shape,
    )
    demo.add_argument(
        "--model", type=_one_of(MODELS), default=MODELS[0], metavar="NAME", help=" or ".join(MODELS)
    )
    train = commands.add_parser(
        "train",
        help="train one network of the gallery; without a name, list them",
        epilog=EPILOG,
        formatter_class=shape,
    )
    train.add_argument("name", nargs="?", type=_one_of(list(examples())), metavar="NAME")
    for command, default in ((demo, "glassgrad-demo/NAME"), (train, "glassgrad-train/NAME")):
        command.add_argument(
            "--backend",
            type=_one_of(backends.NAMES),
            metavar="NAME",
            help=", ".join(backends.NAMES),
        )
        command.add_argument("--out", type=_folder, metavar="DIR", help=f"default: {default}")
        command.add_argument(
            "--epochs", type=_at_least(1), metavar="N", help="passes over the data"
        )
        command.add_argument("--seed", type=_at_least(0), default=0, metavar="N", help="default: 0")
    watch = commands.add_parser("watch", help="follow a recorded training, on a page that is live")
    watch.add_argument("run", type=Path, metavar="RUN", help="the folder of nn.Record(folder)")
    playground = commands.add_parser("playground", help="a small network to play with")
    for command in (watch, playground):
        command.add_argument(
            "--port", type=_port, default=0, metavar="N", help="default: one that is free"
        )
        command.add_argument("--open", action="store_true", help="open it in a browser")
        command.set_defaults(backend=None)
    doctor = commands.add_parser("doctor", help="what this machine has, and how to get the rest")
    doctor.add_argument("--json", action="store_true", help="for programs to read")
    cache = commands.add_parser("cache", help="where compiled programs lie, and how many")
    cache.add_argument("--clear", action="store_true", help="remove them")
    return parser


def _demo(args: argparse.Namespace) -> int:
    out = args.out or Path("glassgrad-demo") / args.model
    demo = import_module(f"nn.demo.{args.model}")
    demo.main(out=out, backend=args.backend, epochs=args.epochs, seed=args.seed)
    return 0


def _train(args: argparse.Namespace) -> int:
    gallery = examples()
    if args.name is None:
        width = max(map(len, gallery), default=0)
        for name, example in gallery.items():
            print(f"{name:<{width}}  {example.title}")
        return 0
    example = gallery[args.name]
    out = args.out or Path("glassgrad-train") / args.name
    with backends.using(args.backend) if args.backend else nullcontext():
        results = example.run(out, args.epochs, args.seed)
    print(f"\n{example.told(results)}, in {results['seconds']:.0f} s; more lies in {out}/")
    faults = example.missed(results) if args.epochs is None else []
    for fault in faults:
        print(f"goal missed: {fault}", file=sys.stderr)
    return 1 if faults else 0


def _watch(args: argparse.Namespace) -> int:
    from .watch.live import watch_folder

    try:
        watch_folder(args.run, args.port, args.open)
    except ValueError as error:
        print(f"glassgrad watch: {error}", file=sys.stderr)
        return 2
    return 0


def _playground(args: argparse.Namespace) -> int:
    from .watch.playground import play

    play(args.port, args.open)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from autograd.jit import health
    from backends import doctor

    found = doctor.findings() + health.findings()
    print(doctor.report(found, args.json).rstrip())
    return 0 if doctor.healthy(found) else 1


def _cache(args: argparse.Namespace) -> int:
    from autograd.jit.store import LIMIT, Store, user_folder

    try:
        store = Store(user_folder())
        told = f"removed {store.clear()}" if args.clear else f"{store.usage()}"
    except OSError as error:
        print(f"glassgrad cache: {error}", file=sys.stderr)
        return 2
    limit = "" if args.clear else f" (at most {LIMIT / 1e6:.0f} MB are kept)"
    print(f"{store.folder}: {told}{limit}")
    return 0


def _guarded(args: argparse.Namespace, command: Callable[[argparse.Namespace], int]) -> int:
    """Run a command; what the machine lacks is told in one line."""
    told = f"glassgrad {args.command}"
    try:
        backends.get(args.backend) if args.backend else backends.current()
        return command(args)
    except backends.BackendError as error:
        print(f"{told}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:
            print(f"{told}: {error}", file=sys.stderr)
            return 2
        print(f"{told}: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        install = f"pip install 'glassgrad[{EXTRAS[missing]}]'"
        print(f"{told}: {missing} is not installed: {install}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{told}: interrupted", file=sys.stderr)
        return 130  # the shell's number for a program ended by Ctrl-C


# --- kinds of argument; argparse puts the option's name before what they say ---------------


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text in names:
            return text
        near = get_close_matches(text, names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}{hint}")

    return parse


def _at_least(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is less than {least}")
        return number

    return parse


def _port(text: str) -> int:
    port = _at_least(0)(text)
    if port > 65535:
        raise argparse.ArgumentTypeError(f"{port} is more than 65535")
    return port


def _folder(text: str) -> Path:
    path = Path(text)
    blocking = next((p for p in (path, *path.parents) if p.exists() and not p.is_dir()), None)
    if blocking:
        raise argparse.ArgumentTypeError(f"{blocking} is a file, a folder is needed")
    return path


if __name__ == "__main__":
    sys.exit(main())
