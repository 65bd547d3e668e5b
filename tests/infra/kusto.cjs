// Answers, for every query on stdin, what Microsoft's own Kusto analyser thinks of it, and which columns it gives.
//
// In:  [{tables: {name: {column: type}}, functions: [{name, parameters, body}], queries: [text], first: bool}]
// Out: [[{problems: [text], columns: [{name, type}] or null}]]; with `first`, the queries up to the first problem.
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const folder = path.dirname(require.resolve("@kusto/language-service-next/package.json"));
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"), { filename: file });
}
const { Symbols, GlobalState, KustoCode } = Kusto.Language;

const quoted = (name) => `['${name}']`;

function table(name, columns) {
  const told = Object.entries(columns).map(([column, type]) => `${quoted(column)}:${type}`);
  return Symbols.TableSymbol.From(`(${told.join(",")})`).WithName(name);
}

function globals({ tables, functions }) {
  const members = [
    ...Object.entries(tables).map(([name, columns]) => table(name, columns)),
    ...functions.map((each) => new Symbols.FunctionSymbol.$ctor16(each.name, `(${each.parameters})`, `{ ${each.body}\n}`, null)),
  ];
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1("airlock", members, false));
}

function listed(list) {
  const items = [];
  for (let at = 0; at < list.Count; at++) items.push(list.getItem(at));
  return items;
}

function place(text, at) {
  const before = text.slice(0, at).split("\n");
  return `${before.length}:${before[before.length - 1].length + 1}`;
}

function analysed(text, world) {
  const code = KustoCode.ParseAndAnalyze(text, world);
  const found = listed(code.GetDiagnostics());
  const type = code.ResultType;
  return {
    problems: found.map((each) => `${place(text, each.Start)} ${each.Code} ${each.Message}`),
    columns: type && type.Columns ? listed(type.Columns).map((each) => ({ name: each.Name, type: each.Type.Name })) : null,
  };
}

function answered(asked) {
  const world = globals(asked);
  const answers = [];
  for (const text of asked.queries) {
    answers.push(analysed(text, world));
    if (asked.first && answers[answers.length - 1].problems.length) break;
  }
  return answers;
}

process.stdout.write(JSON.stringify(JSON.parse(fs.readFileSync(0, "utf8")).map(answered)));
