"""Sends messages through a real Parlor to real servers of models, and checks what comes back.

usage: prove.py PARLOR_BINARY
"""

import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import tiny_model
from parlor import Person

HERE = pathlib.Path(__file__).parent
LITELLM_KEY = "sk-litellm-0123456789"
CANNED = "Hello from a server we did not write."


class Servers:
    """Processes that end with this one."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, name, command, port, path):
        log = open(self.folder / f"{name}.log", "wb")
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.running.append(process)
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(address + path, timeout=2).close()
                return address
            except OSError:
                if process.poll() is not None:
                    break
                time.sleep(0.5)
        raise SystemExit(f"{name} does not start:\n{(self.folder / f'{name}.log').read_text()[-4000:]}")

    def stop(self):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            process.wait(timeout=30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(servers, binary):
    python = sys.executable
    model = servers.folder / "tiny.gguf"
    tiny_model.write(str(model))
    port = free_port()
    command = [python, "-m", "llama_cpp.server", "--model", str(model), "--model_alias", "tiny", "--n_ctx", "256"]
    command += ["--chat_format", "chatml", "--host", "127.0.0.1", "--port", str(port)]
    llama = servers.start("llama", command, port, "/v1/models")

    config = servers.folder / "litellm.yaml"
    config.write_text((HERE / "litellm.yaml").read_text().replace("@LLAMA@", llama))
    port = free_port()
    command = [str(pathlib.Path(python).with_name("litellm")), "--config", str(config)]
    litellm = servers.start(
        "litellm", command + ["--host", "127.0.0.1", "--port", str(port)], port, "/health/liveliness"
    )

    port = free_port()
    command = [binary, "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(servers.folder / "data")]
    # Titles are asked for beside the answers, and llama.cpp breaks one request off for the next.
    command += ["--base-urls", f"{llama} {litellm}", "--first-byte-seconds", "30", "--titles=false"]
    return llama, litellm, servers.start("parlor", command, port, "/readyz")


def check(name, condition, seen):
    print(("ok    " if condition else "FAIL  ") + name, flush=True)
    if not condition:
        print(f"      {seen}", flush=True)
        check.failed += 1


check.failed = 0


def whole(name, person, chat, text=None, streamed=True):
    """An answer with text, its usage, and more than one delta. Who comes late finds several of them in the snapshot."""
    ended, events = person.answer(chat, "Hello?")
    said = ended["text"]
    good = ended["status"] == "COMPLETED" and ended["finishReason"] in ("STOP", "LENGTH")
    check(f"{name}: answers", good and (said == text if text else len(said) > 20), ended)
    shown = "".join(event.get("text") or "" for event in events if event["__typename"] != "GenerationFinished")
    deltas = events[-1]["sequence"]
    check(f"{name}: streams what it stores", shown == said and (deltas > 1 or not streamed), events)
    return ended


def fails(name, person, chat, code, action, wait=None, content="Hello?"):
    ended, events = person.answer(chat, content)
    error = ended["error"] or {}
    told = (error.get("code"), error.get("action"), error.get("retryAfterSeconds"))
    check(f"{name}: {code}", told == (code, action, wait), ended)
    return events


def prove_llama(parlor, llama):
    person = Person(parlor, "llama")
    key = person.key("OPENAI_COMPATIBLE", f"{llama}/v1")
    query = "query ($id: ID!) { node(id: $id) { ... on ApiKey { health { accepted } models { page { nodes { name } } } } } }"
    node = person.ask(query, id=key)["node"]
    check("llama.cpp: lists its models", node["models"]["page"]["nodes"] == [{"name": "tiny"}], node)
    chat = person.chat("OPENAI_COMPATIBLE", "tiny")
    ended = whole("llama.cpp", person, chat)
    usage = ended["usage"]
    check("llama.cpp: counts tokens", usage is None or usage["outputTokens"] > 0, usage)
    fails("llama.cpp, a prompt that is too long", person, chat, "INTERRUPTED", "RETRY", content="hello " * 300)
    generation = person.send(person.chat("OPENAI_COMPATIBLE", "tiny"), "Go on")
    person.mutate("stopGeneration", {"generationId": generation}, "generation { status }")
    ended = list(person.events(generation))[-1]["generation"]
    check("llama.cpp: is stopped", ended["status"] in ("STOPPED", "COMPLETED"), ended)

    whole("llama.cpp, asked to think", person, person.chat("OPENAI_COMPATIBLE", "tiny", "LOW"))

    other = Person(parlor, "ollama")
    other.key("OLLAMA", llama, form="CHAT_COMPLETIONS")
    whole("llama.cpp, as Ollama's imitation of OpenAI", other, other.chat("OLLAMA", "tiny"))


def prove_litellm(parlor, litellm):
    person = Person(parlor, "chat_completions")
    person.key("OPENAI", f"{litellm}/v1", LITELLM_KEY)
    ended = whole("LiteLLM, Chat Completions", person, person.chat("OPENAI", "canned"), CANNED)
    check("LiteLLM, Chat Completions: counts tokens", (ended["usage"] or {}).get("outputTokens", 0) > 0, ended)
    chat = person.chat("OPENAI", "limited")
    whole("LiteLLM, one a minute", person, chat, "Once.", streamed=False)
    fails("LiteLLM, two a minute", person, chat, "RATE_LIMITED", "RETRY", wait=60)
    events = fails("LiteLLM, rate limit", person, person.chat("OPENAI", "tired"), "RATE_LIMITED", "RETRY")
    retries = [event["attempt"] for event in events if event["__typename"] == "GenerationRetrying"]
    check("LiteLLM, rate limit: is tried twice again", retries in ([1, 2], [2], []), events)
    fails("LiteLLM, context", person, person.chat("OPENAI", "narrow"), "CONTEXT_TOO_LONG", "SHORTEN_CONVERSATION")
    fails("LiteLLM, broken", person, person.chat("OPENAI", "broken"), "UNAVAILABLE", "RETRY")
    fails("LiteLLM, no such model", person, person.chat("OPENAI", "nobody"), "MODEL_NOT_FOUND", "CHANGE_MODEL")

    person = Person(parlor, "responses")
    person.key("OPENAI", f"{litellm}/v1", LITELLM_KEY, "RESPONSES")
    ended = whole("LiteLLM, Responses, a real model", person, person.chat("OPENAI", "tiny"))
    check("LiteLLM, Responses: counts tokens", (ended["usage"] or {}).get("outputTokens", 0) > 0, ended)
    whole("LiteLLM, Responses, asked to think", person, person.chat("OPENAI", "thinker", "LOW"))
    chat = person.chat("OPENAI", "limited")
    person.answer(chat, "The one of this minute, if there is one left.")
    fails("LiteLLM, Responses, two a minute", person, chat, "RATE_LIMITED", "RETRY", wait=60)

    person = Person(parlor, "anthropic")
    person.key("ANTHROPIC", litellm, LITELLM_KEY)
    ended = whole("LiteLLM, Anthropic Messages, a real model", person, person.chat("ANTHROPIC", "tiny"))
    check("LiteLLM, Anthropic Messages: counts tokens", (ended["usage"] or {}).get("outputTokens", 0) > 0, ended)
    whole("LiteLLM, Anthropic Messages, asked to think", person, person.chat("ANTHROPIC", "thinker", "LOW"))
    fails("LiteLLM, Anthropic Messages, limited", person, person.chat("ANTHROPIC", "tired"), "RATE_LIMITED", "RETRY")

    person = Person(parlor, "gemini")
    # It has no list of models in this shape to verify the key by.
    person.key("GEMINI", litellm, LITELLM_KEY, verify=False)
    whole("LiteLLM, Gemini, canned", person, person.chat("GEMINI", "canned"), CANNED)
    whole("LiteLLM, Gemini, a real model", person, person.chat("GEMINI", "tiny"))
    whole("LiteLLM, Gemini, asked to think", person, person.chat("GEMINI", "thinker", "LOW"))
    fails("LiteLLM, Gemini, limited", person, person.chat("GEMINI", "tired"), "RATE_LIMITED", "RETRY")


def main():
    with tempfile.TemporaryDirectory(prefix="parlor-providers-") as folder:
        servers = Servers(pathlib.Path(folder))
        try:
            llama, litellm, parlor = start(servers, sys.argv[1])
            prove_llama(parlor, llama)
            prove_litellm(parlor, litellm)
        finally:
            servers.stop()
    if check.failed:
        raise SystemExit(f"{check.failed} checks failed")
    print("every format is understood")


if __name__ == "__main__":
    main()
