/** What an empty editor shows: the way from an account to a streamed answer. */
export const WELCOME = `# From an account to an answer that streams in:
#
# 1. Run Register, and copy the accessToken.
# 2. Put it into the Headers pane below:
#    {"Authorization": "Bearer <accessToken>"}
# 3. Run Assistant, and put the chat's id into Ask.
# 4. Run Ask, put the generation's id into Watch,
#    and run Watch.
#
# The same as a page to click in: /demo on this server.

mutation Register {
  register(input: {
    displayName: "Ada"
    username: "ada"
    email: "ada@example.com"
    password: "seven quiet parlor lamps"
  }) {
    tokens { accessToken refreshToken expiresAt }
    errors { code message field }
  }
}

query Assistant {
  viewer {
    user { displayName }
    assistantChat { id title }
  }
}

mutation Ask {
  sendMessage(input: {
    chatId: ""
    content: "What is a parlor?"
    idempotencyKey: "ask-1"
  }) {
    generation { id status }
    errors { code message field }
  }
}

subscription Watch {
  generationEvents(generationId: "") {
    sequence
    ... on GenerationSnapshot { text }
    ... on GenerationDelta { text }
    ... on GenerationFinished { generation { status text error { message } } }
  }
}
`;
