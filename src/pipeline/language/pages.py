"""Jinja2 templates in a language: ``_()``, ``ngettext()`` and ``{% trans %}`` with escaping, messages, days, figures.

In a template::

    {% trans %}What changed{% endtrans %}
    {% trans who=person.name, day=review.due_at %}{{ who }} is asked by {{ day }}{% endtrans %}
    {{ _("Iteration %(number)s", number=3) }}          a literal per cent sign is written %%
    {{ ngettext("%(num)s day left", "%(num)s days left", days) }}
    {{ verdict.reason }}                               a Message comes out in the page's language by itself
    {{ day }}  {{ x|percent }}  {{ x|number }}  {{ x|number("units") }}  <html lang="{{ language.tag }}">
"""

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, nodes, pass_context
from jinja2.ext import InternationalizationExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from markupsafe import Markup

from pipeline.language.message import Message
from pipeline.language.translator import Translator


def install(
    environment: Environment, translator: Translator, finalize: Callable[[Any], Any] | None = None
) -> Environment:
    """Let an environment's templates speak a language; one environment per language, before its first template.

    Args:
        environment: autoescaping; handed back.
        translator: the language.
        finalize: what else happens to each printed value, after it was put into the language.
    """

    def shown(value: Any) -> Any:
        value = translator.show(value) if _ours(value) else value
        return finalize(value) if finalize else value

    environment.add_extension(_Translation)
    environment.policies["ext.i18n.trimmed"] = True
    environment.finalize = shown

    @pass_context
    def said(context: Context, msgid: str, /, **values: Any) -> str:
        return _filled(context, translator.catalogue.gettext(msgid), values, shown)

    @pass_context
    def counted(context: Context, singular: str, several: str, n: int, /, **values: Any) -> str:
        return _filled(context, translator.plural(singular, several, n), {"num": n, **values}, shown)

    # Jinja's own newstyle callables would print a message among the values in English.
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    environment.globals.update({"gettext": said, "_": said, "ngettext": counted, "language": translator})
    environment.filters.update(
        {"number": translator.number, "percent": translator.percent, "date": translator.date, "shown": shown}
    )
    return environment


class _Translation(InternationalizationExtension):
    """``{% trans %}`` without values is translated when its template is read: an environment speaks one language."""

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """The block as nodes; one fixed text where no value stands in it."""
        found = super().parse(parser)
        call = found.nodes[0] if isinstance(found, nodes.Output) else None
        if isinstance(call, nodes.Call) and isinstance(call.node, nodes.Name) and call.node.name == "gettext":
            msgid = call.args[0]
            if isinstance(msgid, nodes.Const) and not call.kwargs:
                text = self.environment.globals["language"].catalogue.gettext(msgid.value) % {}  # type: ignore[attr-defined]
                return nodes.Output([nodes.TemplateData(text)], lineno=call.lineno)
        return found


def _ours(value: Any) -> bool:
    return isinstance(value, Message) if isinstance(value, str) else hasattr(value, "isoformat")


def _filled(context: Context, text: str, values: dict[str, Any], shown: Callable[[Any], Any]) -> str:
    """The text with its values, which are escaped where the template escapes; the text itself is ours."""
    filled = {name: shown(value) for name, value in values.items()}
    return (Markup(text) if context.eval_ctx.autoescape else text) % filled  # noqa: S704
