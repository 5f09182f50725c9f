"""What this plugin offers; imports neither torch nor the methods."""

from mbti_core import Component, hookimpl


@hookimpl
def mbti_register() -> list[Component]:
    """Return one line of data per component; its code is imported on first use."""
    stripe = Component("attack", "image/stripe", "mbti_template.methods:Stripe", "White rows at the bottom")
    return [stripe, Component("defense", "any/stubborn", "mbti_template.methods:Stubborn", "Labels no overlay moves")]
