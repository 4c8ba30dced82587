/** The access token of an answer; an empty string if there is none. */
export const readAccessToken = (answer: unknown): string =>
  typeof answer === "object" &&
  answer !== null &&
  "access_token" in answer &&
  typeof answer.access_token === "string"
    ? answer.access_token
    : ""
