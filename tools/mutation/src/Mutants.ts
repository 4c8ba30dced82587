import { type ESTree, parseSync } from "rolldown/utils"

/** One small change of a source file. */
export interface Mutant {
  /** In characters of the source. */
  readonly start: number
  readonly end: number
  readonly replacement: string
  /** A statement is left out, a condition is true or false, and any other expression is replaced. */
  readonly kind: "expression" | "condition" | "statement"
}

/** The changes that tests should notice, in the order of the source. */
export const mutantsOf = (source: string): ReadonlyArray<Mutant> => {
  const { errors, program } = parseSync("source.ts", source, { preserveParens: true })
  if (errors.length > 0) throw new Error("The source cannot be parsed")
  const mutants = visit(program, source)
  return mutants.toSorted((a, b) => a.start - b.start || b.end - a.end)
}

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
  if (node.type === "ImportExpression") return true
  if (node.type === "ExportNamedDeclaration" && node.source !== null) return true
  if (node.type === "ExpressionStatement") return isForPeople(node.expression, source)
  return isForPeople(node, source)
}

const isForPeople = (node: Node, source: string): boolean => {
  if (node.type === "YieldExpression") return node.argument !== null && isForPeople(node.argument, source)
  if (node.type !== "CallExpression") return false
  const callee = source.slice(node.callee.start, node.callee.end)
  return /^(?:Effect\.(?:fn|log\w*|withSpan|annotateLogs|annotateCurrentSpan)|inSpan(?:Of)?|orWarn|warnOf)$/.test(
    callee
  )
}

const swappedOperators: ReadonlyMap<string, string> = new Map([
  ["===", "!=="],
  ["!==", "==="],
  ["<", "<="],
  ["<=", "<"],
  [">", ">="],
  [">=", ">"],
  ["+", "-"],
  ["-", "+"],
  ["*", "/"],
  ["/", "*"],
  ["&&", "||"],
  ["||", "&&"]
])

const swappedMethods: ReadonlyMap<string, string> = new Map([
  ["some", "every"],
  ["every", "some"],
  ["startsWith", "endsWith"],
  ["endsWith", "startsWith"],
  ["min", "max"],
  ["max", "min"]
])

const omittedMethods: ReadonlySet<string> = new Set(["trim", "toLowerCase", "toUpperCase", "filter", "slice"])

const changesOf = (node: Node, source: string): ReadonlyArray<Mutant> => {
  const text = (part: Node) => source.slice(part.start, part.end)
  const replace = (part: Node, replacement: string): Mutant => ({
    start: part.start,
    end: part.end,
    replacement,
    kind: "expression"
  })
  switch (node.type) {
    case "IfStatement":
    case "ConditionalExpression":
      return [constant(node.test, true), constant(node.test, false)]
    case "WhileStatement":
      return [constant(node.test, false)]
    case "BinaryExpression":
    case "LogicalExpression": {
      if (node.operator === "??") return [replace(node, text(node.left))]
      const other = swappedOperators.get(node.operator)
      if (other === undefined || (node.operator === "+" && isText(node))) return []
      return [replace(node, `${text(node.left)} ${other} ${text(node.right)}`)]
    }
    case "UnaryExpression":
      return node.operator === "!" ? [replace(node, text(node.argument))] : []
    case "Literal":
      if (typeof node.value === "boolean") return [replace(node, String(!node.value))]
      return isReplaceableText(node.value) ? [replace(node, '""')] : []
    case "TemplateLiteral":
      return [replace(node, '""')]
    case "ArrayExpression":
      return node.elements.length === 0 ? [] : [replace(node, "[]")]
    case "ExpressionStatement":
      return "directive" in node && typeof node.directive === "string"
        ? []
        : [{ ...replace(node, ""), kind: "statement" }]
    case "CallExpression":
      return [...pipeSteps(node, source), ...otherMethod(node, source)]
    default:
      return []
  }
}

const constant = ({ end, start }: Node, value: boolean): Mutant => ({
  start,
  end,
  replacement: String(value),
  kind: "condition"
})

/** A service's key is any text that no other service has. */
const isReplaceableText = (value: unknown): boolean =>
  typeof value === "string" && value !== "" && !value.startsWith("@secure-mcp/")

/** Whether a sum is a text for sure. */
const isText = (node: Node): boolean =>
  node.type === "TemplateLiteral" ||
  (node.type === "Literal" && typeof node.value === "string") ||
  (node.type === "BinaryExpression" && node.operator === "+" && (isText(node.left) || isText(node.right)))

/** Each step of a pipe left out. */
const pipeSteps = (node: ESTree.CallExpression, source: string): ReadonlyArray<Mutant> => {
  if (!source.slice(node.callee.start, node.callee.end).endsWith(".pipe")) return []
  return node.arguments
    .filter((step) => step.type !== "SpreadElement" && !isForPeople(step, source))
    .map(({ end, start }) => ({ start, end, replacement: "(self) => self", kind: "expression" }))
}

/** `a.some(b)` becomes `a.every(b)`, and `a.trim()` becomes `a`. */
const otherMethod = (
  { arguments: args, callee, end, start }: ESTree.CallExpression,
  source: string
): ReadonlyArray<Mutant> => {
  // A step of a chain such as `a?.b.trim()` cannot be replaced without the whole chain.
  if (callee.type !== "MemberExpression" || callee.computed || isInChain(callee)) return []
  const object = source.slice(callee.object.start, callee.object.end)
  const method = source.slice(callee.property.start, callee.property.end)
  const isModule = /^[A-Z]/.test(object)
  const swapped = isModule && object !== "Math" ? undefined : swappedMethods.get(method)
  if (swapped !== undefined) {
    const replacement = `${object}.${swapped}${source.slice(callee.end, end)}`
    return [{ start, end, replacement, kind: "expression" }]
  }
  return !isModule && omittedMethods.has(method) && args.length <= 2
    ? [{ start, end, replacement: object, kind: "expression" }]
    : []
}

const isInChain = (node: Node): boolean =>
  (node.type === "MemberExpression" && (node.optional || isInChain(node.object))) ||
  (node.type === "CallExpression" && (node.optional || isInChain(node.callee)))
