// What every client does: an account, a chat with the scripted assistant, a question, its answer.
import { randomUUID } from 'node:crypto';

/** The subscription, as the README has it. */
export const WATCH = `subscription Watch($generationId: ID!, $after: Int) {
  generationEvents(generationId: $generationId, after: $after) {
    __typename
    sequence
    ... on GenerationSnapshot { text }
    ... on GenerationDelta { channel delta: text }
    ... on GenerationFinished { generation { id status text } }
  }
}`;

/** One event applied to the text so far: a snapshot replaces, a delta appends, the end is final. */
export function applyEvent(text, event) {
  switch (event.__typename) {
    case 'GenerationSnapshot': return event.text;
    case 'GenerationDelta': return event.channel === 'ANSWER' ? text + event.delta : text;
    case 'GenerationFinished': return event.generation.text;
    default: return text;
  }
}

export async function request(base, query, variables, token) {
  const response = await fetch(`${base}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  for (const payload of Object.values(data)) {
    if (payload?.errors?.length) throw new Error(JSON.stringify(payload.errors));
  }
  return data;
}

export async function register(base, displayName = 'Walker') {
  const username = `walker${randomUUID().slice(0, 8)}`;
  const input = { username, email: `${username}@example.com`, password: randomUUID(), displayName };
  const { register } = await request(
    base,
    'mutation ($input: RegisterInput!) { register(input: $input) { tokens { accessToken } errors { code message } } }',
    { input },
  );
  return { ...input, token: register.tokens.accessToken };
}

/** A question to a slow scripted assistant; answers with the id of the generation that has begun. */
export async function askSlowly(base, token, model = 'scripted:words=120,delay=25') {
  const { createChat } = await request(
    base,
    'mutation ($input: CreateChatInput!) { createChat(input: $input) { chat { id } errors { code message } } }',
    { input: { model, idempotencyKey: randomUUID() } },
    token,
  );
  const { sendMessage } = await request(
    base,
    'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { generation { id } errors { code message } } }',
    { input: { chatId: createChat.chat.id, content: 'Tell me slowly.', idempotencyKey: randomUUID() } },
    token,
  );
  return sendMessage.generation.id;
}

export async function stored(base, token, id) {
  const { generation } = await request(base, 'query ($id: ID!) { generation(id: $id) { status text } }', { id }, token);
  return generation;
}
