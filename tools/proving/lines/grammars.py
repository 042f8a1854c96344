"""What counts as a statement, language by language: a table over tree-sitter's grammars.

The names are node types of the grammars' own; each grammar ships compiled in its wheel.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tree_sitter import Language, Parser


@dataclass(frozen=True, slots=True)
class Grammar:
    """Which nodes of a language can be left out, and what fills the place of one that cannot."""

    module: str
    function: str = "language"
    statements: frozenset[str] = frozenset()
    """Left out unless they hold statements themselves: then those are left out one by one."""
    containers: frozenset[str] = frozenset()
    """Parents that make a node of these types a statement; empty: any parent does."""
    bodies: frozenset[str] = frozenset()
    """Parents whose one statement has no brackets: `if (x) return` needs the filler."""
    wrappers: frozenset[str] = frozenset()
    """Statements that go as one with what they hold: `export`, a decorated definition."""
    clauses: frozenset[str] = frozenset()
    """Left out as a whole although they hold statements: what they select falls elsewhere then."""
    parts: frozenset[str] = frozenset()
    """Pieces of a statement that are left out wherever they stand: keyword arguments, keys.

    `parent/node`: within such a parent only.
    """
    line_parts: frozenset[str] = frozenset()
    """Pieces of a statement that are left out where they begin a line."""
    lists: frozenset[str] = frozenset()
    """Collections whose elements are left out where they begin a line."""
    calls: frozenset[str] = frozenset()
    """Calls: a link of a chain of them is left out."""
    operations: frozenset[str] = frozenset()
    """Binary operations: a condition joined by `and` or `or` is left out."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What a header becomes when it alone is left out and its block stays."""
    types: frozenset[str] = frozenset()
    """Statements for the type checker only: they count where a proof runs one."""
    ignored: frozenset[str] = frozenset()
    """Nothing in these is a statement."""
    injected: Mapping[str, str] = field(default_factory=dict)
    """Nodes whose text is a program in another language."""
    fillers: tuple[str, ...] = ()
    """What stands where the language wants a statement, or an end of `try`."""

    @property
    def parser(self) -> Parser:
        """The parser of the language."""
        return _parser(self.module, self.function)


@cache
def _parser(module: str, function: str) -> Parser:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # older wheels hand over a number
        return Parser(Language(getattr(importlib.import_module(module), function)()))


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


_PYTHON = Grammar(
    "tree_sitter_python",
    statements=_names(
        """expression_statement return_statement raise_statement assert_statement delete_statement
        import_statement import_from_statement break_statement continue_statement global_statement
        nonlocal_statement if_statement for_statement while_statement try_statement with_statement
        match_statement function_definition class_definition decorated_definition"""
    ),
    containers=_names("module block"),
    wrappers=_names("decorated_definition"),
    clauses=_names("elif_clause except_clause case_clause decorator"),
    parts=_names("keyword_argument pair dictionary_splat"),
    lists=_names("list set tuple"),
    calls=_names("call"),
    operations=_names("boolean_operator"),
    headers={"with_statement": "if True:"},
    types=_names("type_alias_statement"),
    ignored=_names("future_import_statement"),
    fillers=("pass", "finally: pass"),
)
_JAVASCRIPT = Grammar(
    "tree_sitter_javascript",
    statements=_names(
        """expression_statement lexical_declaration variable_declaration return_statement
        throw_statement import_statement export_statement break_statement continue_statement
        debugger_statement if_statement for_statement for_in_statement while_statement do_statement
        try_statement switch_statement labeled_statement function_declaration
        generator_function_declaration class_declaration abstract_class_declaration enum_declaration
        method_definition public_field_definition field_definition class_static_block"""
    ),
    containers=_names("program statement_block switch_case switch_default class_body"),
    bodies=_names(
        "if_statement else_clause for_statement for_in_statement while_statement do_statement"
    ),
    wrappers=_names("export_statement"),
    clauses=_names("catch_clause"),
    parts=_names(
        """pair shorthand_property_identifier object/spread_element jsx_attribute decorator
        jsx_opening_element/jsx_expression jsx_self_closing_element/jsx_expression
        property_signature"""
    ),
    line_parts=_names("jsx_element jsx_self_closing_element jsx_expression"),
    lists=_names("array"),
    calls=_names("call_expression"),
    operations=_names("binary_expression"),
    types=_names(
        """interface_declaration type_alias_declaration ambient_declaration function_signature
        property_signature method_signature abstract_method_signature"""
    ),
    ignored=_names("type_arguments type_parameters object_pattern array_pattern"),
    fillers=("{}", "finally {}"),
)
_SHELL = Grammar(
    "tree_sitter_bash",
    statements=_names(
        """command redirected_statement pipeline list negated_command test_command
        variable_assignment variable_assignments declaration_command unset_command subshell
        if_statement for_statement c_style_for_statement while_statement case_statement
        function_definition compound_statement"""
    ),
    containers=_names(
        """program do_group compound_statement if_statement elif_clause else_clause case_item
        subshell"""
    ),
    ignored=_names("command_substitution process_substitution"),
    fillers=(":",),
)
_SQL = Grammar(
    "tree_sitter_postgres",
    statements=_names("toplevel_stmt"),
    parts=_names(
        """where_clause having_clause opt_sort_clause select_limit for_locking_clause
        opt_nowait_or_skip opt_on_conflict opt_include OptWith"""
    ),
    line_parts=_names(
        """TableElement ColConstraint alter_table_cmd createfunc_opt_item reloption_elem set_clause
        sortby limit_clause offset_clause returning_clause common_table_expr PartitionSpec
        index_elem target_el values_clause"""
    ),
    operations=_names("a_expr joined_table"),
    injected={"dollar_quoted_string": "plpgsql"},
)
_PLPGSQL = Grammar(
    "tree_sitter_postgres",
    "language_plpgsql",
    statements=_names("proc_stmt"),
)
_YAML = Grammar(
    "tree_sitter_yaml",
    parts=_names("block_mapping_pair block_sequence_item flow_pair"),
    clauses=_names("block_sequence_item"),
    injected={"block_scalar": "sh"},
)
_TOML = Grammar("tree_sitter_toml", parts=_names("pair"), lists=_names("array"))
_JSON = Grammar("tree_sitter_json", parts=_names("pair"), lists=_names("array"))
_DOCKERFILE = Grammar(
    "tree_sitter_dockerfile",
    statements=_names(
        """from_instruction run_instruction cmd_instruction label_instruction expose_instruction
        env_instruction add_instruction copy_instruction entrypoint_instruction volume_instruction
        user_instruction workdir_instruction arg_instruction onbuild_instruction
        stopsignal_instruction healthcheck_instruction shell_instruction maintainer_instruction"""
    ),
    containers=_names("source_file"),
    parts=_names("param mount_param env_pair"),
)

GRAMMARS: Mapping[str, Grammar] = {
    "python": _PYTHON,
    "js": _JAVASCRIPT,
    "mjs": _JAVASCRIPT,
    "cjs": _JAVASCRIPT,
    "jsx": _JAVASCRIPT,
    "ts": replace(_JAVASCRIPT, module="tree_sitter_typescript", function="language_typescript"),
    "tsx": replace(_JAVASCRIPT, module="tree_sitter_typescript", function="language_tsx"),
    "sh": _SHELL,
    "sql": _SQL,
    "plpgsql": _PLPGSQL,
    "yaml": _YAML,
    "toml": _TOML,
    "json": _JSON,
    "dockerfile": _DOCKERFILE,
}
"""By the language that a fence names."""
