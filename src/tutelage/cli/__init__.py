"""The command line: one thin function per verb. Nothing heavy is imported until a verb needs it."""

from __future__ import annotations

import gc
import sys

import click

from tutelage import __version__
from tutelage.cli.advise import advise
from tutelage.cli.audit import audit
from tutelage.cli.check import check
from tutelage.cli.compare import compare
from tutelage.cli.doctor import doctor
from tutelage.cli.evaluate import evaluate
from tutelage.cli.fit import fit
from tutelage.cli.harden import harden
from tutelage.cli.output import tell_error
from tutelage.cli.predict import predict
from tutelage.cli.report import report
from tutelage.cli.shared import Verbs
from tutelage.cli.teachers import teachers
from tutelage.cli.view import view
from tutelage.errors import TutelageError


@click.group(
    cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="tutelage")
def cli() -> None:
    """Turn a pretrained teacher and a folder of labelled photos into a trustworthy student.

    \b
    tutelage check photos/                       what is wrong with my data
    tutelage teachers                            which pretrained networks can teach
    tutelage advise photos/                      how deep to freeze, and why
    tutelage fit photos/                         a student, in runs/fit/photos/
    tutelage predict runs/fit/photos new/*.jpg   what it says
    tutelage compare runs/fit/photos             was it worth it, against training from scratch
    tutelage view runs/fit/photos                what the layers see
    tutelage audit runs/fit/photos               which weaknesses it inherited from its teacher
    tutelage harden runs/fit/photos              a student that has fewer of them, and its price
    tutelage report runs/fit/photos              all that is known of it, on one page
    """


VERBS = (
    check,
    teachers,
    advise,
    fit,
    predict,
    evaluate,
    compare,
    view,
    audit,
    harden,
    report,
    doctor,
)
for verb in VERBS:
    cli.add_command(verb)


SELDOM = 100_000
"""Objects between looks for garbage: importing PyTorch makes millions that live on, and looking through
them took a third of its time."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits 0, 1 (it could not be done) or 2 (it was asked wrongly)."""
    typed = sys.argv[1:] if arguments is None else arguments
    gc.set_threshold(SELDOM, 50, 50)
    as_json = "--json" in typed
    try:
        sys.exit(cli.main(args=typed, prog_name="tutelage", standalone_mode=False) or 0)
    except click.exceptions.Abort as error:
        sys.exit(_interrupted(error.__cause__ or error))
    except KeyboardInterrupt as error:
        sys.exit(_interrupted(error))
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except TutelageError as error:
        tell_error(error, as_json)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        tell_error(as_tutelage_error(error), as_json)
        sys.exit(1)


def as_tutelage_error(error: OSError) -> TutelageError:
    """A refusal of the system in our words."""
    return TutelageError(
        "system", given=f"{error.filename or 'the system'}: {error.strerror or error}",
        expected="a place that can be read and written", next="Check permissions and free space; finished work is kept.",
    )  # fmt: skip


def _interrupted(error: BaseException) -> int:
    click.echo("interrupted: what was finished is kept", err=True)
    for note in getattr(error, "__notes__", []):
        click.echo(note, err=True)
    return 1
