"""``dedup completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_DEDUP_COMPLETE"


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes the Tab key complete dedup's commands and options.

    \b
    bash: echo 'eval "$(dedup completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(dedup completion zsh)"' >> ~/.zshrc
    fish: dedup completion fish > ~/.config/fish/completions/dedup.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None, "click has these three"
    click.echo(completion(context.find_root().command, {}, "dedup", VARIABLE).source())
