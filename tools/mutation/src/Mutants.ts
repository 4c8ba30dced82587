import { type ESTree, parseSync } from "rolldown/utils"

/** One small change of a source file. */
export interface Mutant {
  /** In characters of the source. */
  readonly start: number
  readonly end: number
  readonly replacement: string
}

/** The changes that tests should notice, in the order of the source. */
export const mutantsOf = (source: string): ReadonlyArray<Mutant> => {
  const { errors, program } = parseSync("source.ts", source)
  if (errors.length > 0) throw new Error("The source cannot be parsed")
  const mutants = visit(program, source)
  return mutants.toSorted((a, b) => a.start - b.start || a.end - b.end)
}

export const applyMutant = (source: string, { end, replacement, start }: Mutant): string =>
  source.slice(0, start) + replacement + source.slice(end)

/** How a person names a mutant: it stays the same when lines move. */
export const describeMutant = (source: string, { end, replacement, start }: Mutant): string => {
  const short = (text: string) => text.replaceAll(/\s+/g, " ").trim().slice(0, 120)
  return `${short(source.slice(start, end))} -> ${short(replacement) || "nothing"}`
}

type Node = ESTree.Node

const visit = (node: Node, source: string): ReadonlyArray<Mutant> =>
  isSkipped(node, source)
    ? []
    : [...changesOf(node, source), ...childrenOf(node).flatMap((child) => visit(child, source))]

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

const childrenOf = (node: Node): ReadonlyArray<Node> =>
  Object.entries(node).flatMap(([key, value]) =>
    // The name of a field is not a value.
    key === "key" ? [] : [value].flat().filter(isNode)
  )

/** Types, module names, and what only people read: names of spans and lines of the log. */
const isSkipped = (node: Node, source: string): boolean => {
  if (/^TS(?!AsExpression|SatisfiesExpression|NonNullExpression|ParameterProperty)/.test(node.type))
    return true
  if (node.type === "ImportDeclaration" || node.type === "ExportAllDeclaration") return true
  if (node.type === "ExportNamedDeclaration" && node.source !== null) return true
  if (node.type !== "CallExpression") return false
  const callee = source.slice(node.callee.start, node.callee.end)
  return /^Effect\.(?:fn|log\w*|withSpan|annotateLogs)$/.test(callee)
}

const swapped: Readonly<Record<string, string>> = {
  "===": "!==",
  "!==": "===",
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "-": "+",
  "*": "/",
  "/": "*",
  "&&": "||",
  "||": "&&"
}

const changesOf = (node: Node, source: string): ReadonlyArray<Mutant> => {
  const text = (part: Node) => source.slice(part.start, part.end)
  const replace = (part: Node, replacement: string): Mutant => ({
    start: part.start,
    end: part.end,
    replacement
  })
  switch (node.type) {
    case "IfStatement":
    case "ConditionalExpression":
      return [replace(node.test, "true"), replace(node.test, "false")]
    case "BinaryExpression":
    case "LogicalExpression": {
      if (node.operator === "??") return [replace(node, text(node.left))]
      const other = swapped[node.operator]
      return other === undefined ? [] : [replace(node, `${text(node.left)} ${other} ${text(node.right)}`)]
    }
    case "UnaryExpression":
      return node.operator === "!" ? [replace(node, text(node.argument))] : []
    case "Literal":
      if (typeof node.value === "boolean") return [replace(node, String(!node.value))]
      return typeof node.value === "string" && node.value !== "" ? [replace(node, '""')] : []
    case "ExpressionStatement":
      return [replace(node, ";")]
    case "CallExpression":
      return pipeSteps(node, source)
    default:
      return []
  }
}

/** Each step of a pipe left out. */
const pipeSteps = (node: ESTree.CallExpression, source: string): ReadonlyArray<Mutant> => {
  if (!source.slice(node.callee.start, node.callee.end).endsWith(".pipe")) return []
  return node.arguments.map(({ end, start }) => ({ start, end, replacement: "(self) => self" }))
}
