import { escapeHtml } from "../../login/BrowserPage.ts"

/** Where the pages stand. */
export interface PagePaths {
  /** The path of the public URL, which stands before every path of a page: "" or as "/gateway". */
  readonly prefix: string
}

/** A path below the public URL, as the value of an attribute. */
export const attributePath = ({ prefix }: PagePaths, path: string): string => escapeHtml(prefix + path)
