import { type ESTree, parseSync, Visitor } from "rolldown/utils"
import { read } from "./Workspace.ts"

/** The names of the tests in a file, in their order. */
export const testNames = (file: string, text = read(file)): ReadonlyArray<string> => {
  const found: Array<string> = []
  new Visitor({
    CallExpression: ({ arguments: [name], callee }) => {
      const test = rootName(callee)
      if (name === undefined || (test !== "it" && test !== "test")) return
      if (name.type === "Literal" && typeof name.value === "string") found.push(name.value)
      if (name.type === "TemplateLiteral") found.push(name.quasis[0]?.value.raw ?? "")
    }
  }).visit(parseSync(file, text).program)
  return found
}

/** `it` of `it.effect.each([1])`. */
const rootName = (node: ESTree.Node): string | undefined => {
  if (node.type === "Identifier") return node.name
  if (node.type === "MemberExpression") return rootName(node.object)
  if (node.type === "CallExpression") return rootName(node.callee)
  return undefined
}
