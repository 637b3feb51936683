"""A Parlor to talk to: GraphQL over HTTP and SSE, with nothing but the standard library."""

import json
import urllib.request
import uuid


class Person:
    """Somebody with an account of their own."""

    def __init__(self, address, name):
        self.address = address
        self.token = None
        person = {"username": name, "email": f"{name}@example.com", "password": "seven tall giraffes whisper"}
        payload = self.mutate("register", person, "tokens { accessToken }")
        self.token = payload["tokens"]["accessToken"]

    def request(self, query, variables, accept):
        headers = {"content-type": "application/json", "accept": accept}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.address}/graphql", body, headers)
        return urllib.request.urlopen(request, timeout=120)

    def ask(self, query, **variables):
        with self.request(query, variables, "application/json") as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]

    def mutate(self, name, given, fields):
        kind = f"{name[0].upper()}{name[1:]}Input"
        query = f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {fields} errors {{ code message }} }} }}"
        payload = self.ask(query, input=given)[name]
        assert payload["errors"] == [], payload
        return payload

    def key(self, provider, address, secret="", form=None, verify=True):
        """Sets a key; the provider is asked whether it takes it."""
        given = {"provider": provider, "baseUrl": address, "secret": secret, "format": form, "verify": verify}
        return self.mutate("setApiKey", given, "apiKey { id }")["apiKey"]["id"]

    def chat(self, provider, model, effort=None):
        given = {"provider": provider, "model": model}
        if effort:
            assistant = {"displayName": "Thinker", "reasoningEffort": effort}
            made = self.mutate("createAssistant", assistant, "assistant { id }")
            given["assistantIds"] = [made["assistant"]["id"]]
        return self.mutate("createChat", given, "chat { id }")["chat"]["id"]

    def send(self, chat, content):
        given = {"chatId": chat, "content": content, "idempotencyKey": str(uuid.uuid4())}
        return self.mutate("sendMessage", given, "generation { id }")["generation"]["id"]

    def events(self, generation):
        """The events of an answer as they come."""
        query = """subscription ($id: ID!) { generationEvents(generationId: $id) { __typename sequence
            ... on GenerationSnapshot { text } ... on GenerationDelta { channel text }
            ... on GenerationRetrying { attempt code }
            ... on GenerationFinished { generation { status text finishReason usage { inputTokens outputTokens }
                error { code retryable retryAfterSeconds action } } } } }"""
        with self.request(query, {"id": generation}, "text/event-stream") as stream:
            for line in stream:
                if line.startswith(b"data:") and line[5:].strip():
                    event = json.loads(line[5:])["data"]["generationEvents"]
                    yield event
                    if event["__typename"] == "GenerationFinished":
                        return

    def answer(self, chat, content):
        """The whole answer, and what was shown on the way."""
        events = list(self.events(self.send(chat, content)))
        return events[-1]["generation"], events
