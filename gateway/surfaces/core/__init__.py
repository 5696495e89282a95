"""The core surface (docs/api/core.md): what an OpenAI SDK calls with only its base URL changed."""
