// What is asked of the server: the shapes that the page shows, and changes that say why they were refused.
import { ask, Refusal } from './live.js';

export const CALL = 'fragment C on ToolCall { id server name arguments status result }';
export const ANSWER = `fragment G on Generation { id status provider model text reasoning sequence finishReason error { code message action }
  usage { inputTokens outputTokens totalTokens costUsd costState } tokensPerSecond toolCalls { ...C } } ${CALL}`;
export const MESSAGE = `fragment M on Message { id role content sequence version active idempotencyKey chat { id } author { id displayName }
  reactions { emoji count viewerReacted } siblings { id sequence } generation { ...G } } ${ANSWER}`;
export const CHAT = `fragment K on Chat { id kind title version provider model builtinTools toolServers { id } memberCount
  assistants { id displayName } members(first: 2) { nodes { user { id displayName presence { status } } } } lastMessage { id sequence } viewerState { unreadCount lastReadSequence } }`;

/** What failures are called in passing; `GenerationErrorCode`. */
export const WHY = {
  RATE_LIMITED: 'Rate limited', UNAVAILABLE: 'The provider is not available', TIMEOUT: 'The provider took too long',
  INTERRUPTED: 'The connection broke off', KEY_INVALID: 'The key was refused', KEY_MISSING: 'There is no key',
  QUOTA_EXCEEDED: 'The account has no credit left', MODEL_NOT_FOUND: 'There is no such model', CONTENT_FILTERED: 'The filter stopped it',
  CONTEXT_TOO_LONG: 'The conversation is too long', BUDGET_EXCEEDED: 'The budget is used up',
};

/** One mutation. What its payload refuses is thrown, with its code. */
export async function change(name, input, shape = '', fragments = '') {
  const Name = name[0].toUpperCase() + name.slice(1);
  const answer = await ask(
    `mutation ${Name}($input: ${Name}Input!) { ${name}(input: $input) { ${shape} errors { code message field } } } ${fragments}`,
    { input },
  );
  const [error] = answer[name].errors;
  if (error) throw new Refusal({ message: error.message, extensions: { code: error.code } });
  return answer[name];
}
