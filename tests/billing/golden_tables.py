"""What everything costs, written by hand: the tables of test_golden_prices.py.

Amounts are for the tiers free, managed, byok and vip_founder: metered ones in µcr, each other in
credits.
"""

# provider, model, tokens (input; of it cached, written to the cache; output), µcr in each tier
CHATS = [
    (
        "openai",
        "gpt-6-astra",
        (1_000_000, 0, 0, 0),
        (30_000_000_000, 24_000_000_000, 20_000_000_000, 20_000_000_000),
    ),
    ("openai", "gpt-6-astra", (1_000, 0, 0, 0), (15_000_000, 12_000_000, 10_000_000, 10_000_000)),
    ("openai", "gpt-6-astra", (1_000, 1_000, 0, 0), (1_500_000, 1_200_000, 1_000_000, 1_000_000)),
    (
        "openai",
        "gpt-6-astra",
        (1_000, 0, 1_000, 0),
        (18_750_000, 15_000_000, 12_500_000, 12_500_000),
    ),
    ("openai", "gpt-6-astra", (0, 0, 0, 1_000), (75_000_000, 60_000_000, 50_000_000, 50_000_000)),
    (
        "openai",
        "gpt-6-astra",
        (272_000, 0, 0, 1),
        (4_080_075_000, 3_264_060_000, 2_720_050_000, 2_720_050_000),
    ),
    (
        "openai",
        "gpt-6-astra",
        (272_001, 0, 0, 1),
        (8_160_142_500, 6_528_114_000, 5_440_095_000, 5_440_095_000),
    ),
    ("openai", "gpt-6.1-sol", (1, 0, 0, 0), (3_000, 2_400, 2_000, 2_000)),
    (
        "openai",
        "gpt-6.1-sol",
        (1_234, 234, 100, 567),
        (11_615_100, 9_292_080, 7_743_400, 7_743_400),
    ),
    (
        "openai",
        "gpt-6.1-sol",
        (300_000, 100_000, 0, 2_000),
        (1_275_000_000, 1_020_000_000, 850_000_000, 850_000_000),
    ),
    ("openai", "gpt-6.1-terra", (7, 0, 0, 3), (33_000, 26_400, 22_000, 22_000)),
    ("openai", "gpt-6-luna", (1, 1, 0, 0), (15, 12, 10, 10)),
    ("openai", "gpt-6-luna", (3, 1, 1, 1), (1_103, 882, 735, 735)),
    ("openai", "gpt-5.6-sol", (12, 0, 0, 345), (10_422_000, 8_337_600, 6_948_000, 6_948_000)),
    ("openai", "gpt-5.6-terra", (999, 0, 0, 1), (3_015_000, 2_412_000, 2_010_000, 2_010_000)),
    ("openai", "gpt-5.5", (1_001, 501, 0, 77), (7_590_750, 6_072_600, 5_060_500, 5_060_500)),
    ("openai", "gpt-5.4", (2_000, 0, 0, 500), (18_750_000, 15_000_000, 12_500_000, 12_500_000)),
    ("openai", "gpt-5.4-mini", (1, 0, 0, 1), (7_875, 6_300, 5_250, 5_250)),
    ("openai", "gpt-5.4-mini", (1, 1, 0, 0), (113, 90, 75, 75)),
    ("openai", "gpt-5.4-nano", (11, 0, 0, 13), (27_675, 22_140, 18_450, 18_450)),
    ("openai", "gpt-5.2", (1, 1, 0, 1), (21_263, 17_010, 14_175, 14_175)),
    ("openai", "gpt-5", (1, 1, 0, 0), (188, 150, 125, 125)),
    ("openai", "gpt-5-mini", (3, 1, 0, 0), (788, 630, 525, 525)),
    ("openai", "gpt-5-nano", (1, 1, 0, 0), (8, 6, 5, 5)),
    ("openai", "gpt-5-nano", (101, 0, 0, 7), (11_775, 9_420, 7_850, 7_850)),
    ("openai", "gpt-4.1", (2_048, 1_024, 0, 256), (6_912_000, 5_529_600, 4_608_000, 4_608_000)),
    ("openai", "gpt-4o", (1_000, 400, 0, 100), (4_500_000, 3_600_000, 3_000_000, 3_000_000)),
    ("openai", "gpt-4o-mini", (17, 0, 0, 19), (20_925, 16_740, 13_950, 13_950)),
    ("openai", "o3", (100, 0, 0, 4_096), (49_452_000, 39_561_600, 32_968_000, 32_968_000)),
    (
        "anthropic",
        "claude-opus-5-5",
        (1_000, 200, 300, 400),
        (17_310_000, 13_848_000, 11_540_000, 11_540_000),
    ),
    ("anthropic", "claude-opus-5", (1, 0, 1, 0), (9_375, 7_500, 6_250, 6_250)),
    (
        "anthropic",
        "claude-sonnet-5-5",
        (50_000, 40_000, 5_000, 1_500),
        (62_250_000, 49_800_000, 41_500_000, 41_500_000),
    ),
    (
        "anthropic",
        "claude-haiku-5-5",
        (100_000, 0, 0, 10),
        (15_007_500, 12_006_000, 10_005_000, 10_005_000),
    ),
    (
        "anthropic",
        "claude-haiku-5-5",
        (100_001, 0, 0, 10),
        (75_038_250, 60_030_600, 50_025_500, 50_025_500),
    ),
    ("anthropic", "claude-haiku-4-5", (33, 11, 11, 1), (46_275, 37_020, 30_850, 30_850)),
    ("xai", "grok-4.7", (200_000, 0, 0, 1), (600_009_000, 480_007_200, 400_006_000, 400_006_000)),
    ("xai", "grok-4.7", (200_001, 1, 0, 1), (1_200_019_500, 960_015_600, 800_013_000, 800_013_000)),
    ("xai", "grok-4.3", (9, 3, 0, 2), (19_650, 15_720, 13_100, 13_100)),
    ("gemini", "gemini-3.8-flash", (1, 1, 0, 1), (5_738, 4_590, 3_825, 3_825)),
    (
        "gemini",
        "gemini-2.5-pro",
        (200_001, 0, 0, 0),
        (750_003_750, 600_003_000, 500_002_500, 500_002_500),
    ),
    ("gemini", "gemini-2.5-flash", (5, 0, 0, 5), (21_000, 16_800, 14_000, 14_000)),
    ("openrouter", "x-ai/grok-4.3", (9, 3, 0, 2), (19_650, 15_720, 13_100, 13_100)),
]

# provider, model, input tokens, µcr in each tier
EMBEDDINGS = [
    ("openai", "text-embedding-3-small", 1, (30, 24, 20, 20)),
    (
        "openai",
        "text-embedding-3-small",
        1_000_000,
        (30_000_000, 24_000_000, 20_000_000, 20_000_000),
    ),
    ("openai", "text-embedding-3-large", 3, (585, 468, 390, 390)),
    ("openai", "text-embedding-ada-002", 7, (1_050, 840, 700, 700)),
    ("gemini", "gemini-embedding-001", 1, (225, 180, 150, 150)),
    ("gemini", "gemini-embedding-2", 11, (3_300, 2_640, 2_200, 2_200)),
    ("openrouter", "openai/text-embedding-3-large", 3, (585, 468, 390, 390)),
]

# model, credits in each tier
SESSIONS = [
    ("gpt-realtime-2.1", (8_640, 6_912, 5_760, 5_760)),
    ("gpt-realtime-2.1-mini", (2_700, 2_160, 1_800, 1_800)),
]

# provider, model, size, quality, how many, credits in each tier
IMAGES = [
    ("openai", "dall-e-3", "1024x1024", "standard", 1, (60, 48, 40, 40)),
    ("openai", "dall-e-3", "1024x1024", "standard", 10, (600, 480, 400, 400)),
    ("openai", "dall-e-3", "1024x1024", "hd", 1, (120, 96, 80, 80)),
    ("openai", "dall-e-3", "1792x1024", "standard", 1, (120, 96, 80, 80)),
    ("openai", "dall-e-3", "1024x1792", "standard", 2, (240, 192, 160, 160)),
    ("openai", "dall-e-3", "1792x1024", "hd", 1, (120, 96, 80, 80)),
    ("openai", "dall-e-3", "1024x1792", "hd", 3, (360, 288, 240, 240)),
    ("openai", "dall-e-2", "256x256", "standard", 1, (24, 20, 16, 16)),
    ("openai", "dall-e-2", "256x256", "standard", 3, (72, 60, 48, 48)),
    ("openai", "dall-e-2", "512x512", "standard", 1, (27, 22, 18, 18)),
    ("openai", "dall-e-2", "1024x1024", "standard", 1, (27, 22, 18, 18)),
    ("openai", "dall-e-2", "1024x1024", "standard", 10, (270, 220, 180, 180)),
    ("stability", "stable-diffusion-xl", "512x512", "standard", 1, (3, 3, 2, 2)),
    ("stability", "stable-diffusion-xl", "1024x1024", "standard", 1, (8, 6, 5, 5)),
    ("stability", "stable-diffusion-xl", "1024x1024", "standard", 4, (32, 24, 20, 20)),
    ("stability", "stable-diffusion-xl", "1536x1536", "standard", 1, (8, 6, 5, 5)),
    ("stability", "stable-diffusion-3", "512x512", "standard", 1, (5, 4, 3, 3)),
    ("stability", "stable-diffusion-3", "1024x1024", "standard", 1, (9, 8, 6, 6)),
    ("stability", "stable-diffusion-3", "1536x1536", "standard", 1, (15, 12, 10, 10)),
    ("openai", "gpt-image-2", "1024x1024", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2", "1024x1024", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2", "1024x1024", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2", "1536x1024", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2", "1536x1024", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2", "1536x1024", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2", "1024x1536", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2", "1024x1536", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2", "1024x1536", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2.5-flare", "1024x1024", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2.5-flare", "1024x1024", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2.5-flare", "1024x1024", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2.5-flare", "1536x1024", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2.5-flare", "1536x1024", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2.5-flare", "1536x1024", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2.5-flare", "1024x1536", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2.5-flare", "1024x1536", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2.5-flare", "1024x1536", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2.5-sunburst", "1024x1024", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2.5-sunburst", "1024x1024", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2.5-sunburst", "1024x1024", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2.5-sunburst", "1536x1024", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2.5-sunburst", "1536x1024", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2.5-sunburst", "1536x1024", "high", 1, (317, 254, 211, 211)),
    ("openai", "gpt-image-2.5-sunburst", "1024x1536", "low", 1, (9, 8, 6, 6)),
    ("openai", "gpt-image-2.5-sunburst", "1024x1536", "medium", 1, (80, 64, 53, 53)),
    ("openai", "gpt-image-2.5-sunburst", "1024x1536", "high", 1, (317, 254, 211, 211)),
    ("openrouter", "openai/dall-e-3", "1024x1024", "standard", 1, (60, 48, 40, 40)),
    ("openrouter", "openai/dall-e-3", "1024x1024", "hd", 1, (120, 96, 80, 80)),
    ("openrouter", "openai/dall-e-3", "1792x1024", "standard", 1, (120, 96, 80, 80)),
    ("openrouter", "openai/dall-e-3", "1792x1024", "hd", 1, (120, 96, 80, 80)),
    ("openrouter", "openai/dall-e-3", "1024x1792", "standard", 1, (120, 96, 80, 80)),
    ("openrouter", "openai/dall-e-3", "1024x1792", "hd", 1, (120, 96, 80, 80)),
    ("openrouter", "openai/dall-e-2", "256x256", "standard", 1, (24, 20, 16, 16)),
    ("openrouter", "openai/dall-e-2", "512x512", "standard", 1, (27, 22, 18, 18)),
    ("openrouter", "openai/dall-e-2", "1024x1024", "standard", 1, (27, 22, 18, 18)),
    ("replicate", "black-forest-labs/flux-schnell", "", "", 1, (5, 4, 3, 3)),
    ("replicate", "black-forest-labs/flux-schnell", "", "", 4, (20, 16, 12, 12)),
    ("replicate", "black-forest-labs/flux-dev", "", "", 1, (38, 30, 25, 25)),
    ("replicate", "black-forest-labs/flux-1.1-pro", "", "", 1, (60, 48, 40, 40)),
    ("wavespeed", "ideogram-v3-turbo", "", "", 1, (45, 36, 30, 30)),
    ("wavespeed", "qwen-image", "", "", 10, (300, 240, 200, 200)),
    ("huggingface", "FLUX.1-Krea-dev", "", "", 1, (38, 30, 25, 25)),
    ("huggingface", "FLUX.1-dev", "", "", 1, (38, 30, 25, 25)),
    ("huggingface", "FLUX.1-schnell", "", "", 1, (5, 4, 3, 3)),
    ("gemini", "gemini-2.5-flash-image", "", "", 1, (59, 47, 39, 39)),
    ("gemini", "gemini-3.1-flash-image", "", "", 1, (101, 81, 68, 68)),
    ("gemini", "gemini-3-pro-image", "", "", 1, (202, 162, 135, 135)),
    ("stability", "stable-image-core", "", "", 1, (45, 36, 30, 30)),
    ("stability", "stable-image-ultra", "", "", 1, (120, 96, 80, 80)),
    ("stability", "sd3.5-large", "", "", 1, (98, 78, 65, 65)),
]

# operation, provider, model, credits in each tier
CHANGES = [
    ("image_edit", "gemini", "gemini-3.1-flash-image-edit", (104, 83, 69, 69)),
    ("image_edit", "stability", "remove-background", (75, 60, 50, 50)),
    ("image_edit", "stability", "inpaint", (75, 60, 50, 50)),
    ("image_edit", "stability", "outpaint", (60, 48, 40, 40)),
    ("image_edit", "stability", "search-and-replace", (75, 60, 50, 50)),
    ("image_edit", "stability", "search-and-recolor", (75, 60, 50, 50)),
    ("image_upscale", "stability", "upscale-fast", (30, 24, 20, 20)),
    ("image_upscale", "stability", "upscale-conservative", (600, 480, 400, 400)),
    ("image_upscale", "stability", "upscale-creative", (900, 720, 600, 600)),
    ("image_control", "stability", "control-sketch", (75, 60, 50, 50)),
    ("image_control", "stability", "control-structure", (75, 60, 50, 50)),
    ("image_control", "stability", "control-style", (75, 60, 50, 50)),
    ("image_control", "stability", "control-style-transfer", (120, 96, 80, 80)),
    ("image_fit", "studio", "social-fit", (0, 0, 0, 0)),
]

# model, milliseconds, µcr in each tier
MUSIC = [
    ("music_v1", 1, (18_750, 15_000, 12_500, 12_500)),
    ("music_v1", 1_000, (18_750_000, 15_000_000, 12_500_000, 12_500_000)),
    ("music_v1", 30_000, (562_500_000, 450_000_000, 375_000_000, 375_000_000)),
    ("music_v2", 300_000, (5_625_000_000, 4_500_000_000, 3_750_000_000, 3_750_000_000)),
]

# provider, model, (characters, tokens of text, tokens of sound), µcr in each tier
SPEECH = [
    ("openai", "tts-1", (1, 0, 0), (22_500, 18_000, 15_000, 15_000)),
    ("openai", "tts-1", (4_096, 0, 0), (92_160_000, 73_728_000, 61_440_000, 61_440_000)),
    ("openai", "tts-1-hd", (1_000, 0, 0), (45_000_000, 36_000_000, 30_000_000, 30_000_000)),
    ("openai", "gpt-4o-mini-tts", (0, 1, 0), (900, 720, 600, 600)),
    ("openai", "gpt-4o-mini-tts", (99, 14, 101), (1_830_600, 1_464_480, 1_220_400, 1_220_400)),
    ("elevenlabs", "eleven_v4", (1, 0, 0), (120_000, 96_000, 80_000, 80_000)),
    ("elevenlabs", "eleven_v3", (1, 0, 0), (120_000, 96_000, 80_000, 80_000)),
    (
        "elevenlabs",
        "eleven_multilingual_v2",
        (5_000, 0, 0),
        (600_000_000, 480_000_000, 400_000_000, 400_000_000),
    ),
    ("elevenlabs", "eleven_turbo_v2_5", (1, 0, 0), (60_000, 48_000, 40_000, 40_000)),
    ("elevenlabs", "eleven_flash_v2_5", (42, 0, 0), (2_520_000, 2_016_000, 1_680_000, 1_680_000)),
    ("baseten", "orpheus-fp8", (1, 0, 0), (33_000, 26_400, 22_000, 22_000)),
    ("baseten", "orpheus-fp16", (1_000, 0, 0), (33_000_000, 26_400_000, 22_000_000, 22_000_000)),
]

# provider, model, milliseconds, µcr in each tier
TRANSCRIPTIONS = [
    ("openai", "gpt-4o-transcribe", 1, (150, 120, 100, 100)),
    ("openai", "gpt-4o-transcribe", 60_000, (9_000_000, 7_200_000, 6_000_000, 6_000_000)),
    ("openai", "gpt-4o-mini-transcribe", 60_000, (4_500_000, 3_600_000, 3_000_000, 3_000_000)),
    ("openai", "whisper-1", 1_330, (199_500, 159_600, 133_000, 133_000)),
    ("elevenlabs", "scribe_v1", 1, (92, 74, 62, 62)),
    ("elevenlabs", "scribe_v2", 60_000, (5_499_000, 4_399_200, 3_666_000, 3_666_000)),
]

# provider, model, size, quality, how many, credits from and to in each tier
RANGES = [
    ("openai", "dall-e-3", "auto", "auto", 1, ((60, 120), (48, 96), (40, 80), (40, 80))),
    ("openai", "dall-e-3", "1024x1024", "auto", 1, ((60, 120), (48, 96), (40, 80), (40, 80))),
    ("openai", "dall-e-3", "1792x1024", "auto", 1, ((120, 120), (96, 96), (80, 80), (80, 80))),
    ("openai", "dall-e-3", "auto", "hd", 1, ((120, 120), (96, 96), (80, 80), (80, 80))),
    ("openai", "dall-e-3", "auto", "standard", 2, ((120, 240), (96, 192), (80, 160), (80, 160))),
    ("openai", "dall-e-2", "auto", "auto", 1, ((24, 27), (20, 22), (16, 18), (16, 18))),
    ("openai", "dall-e-2", "auto", "standard", 2, ((48, 54), (40, 44), (32, 36), (32, 36))),
    ("stability", "stable-diffusion-xl", "auto", "auto", 1, ((3, 8), (3, 6), (2, 5), (2, 5))),
    ("stability", "stable-diffusion-3", "auto", "auto", 1, ((5, 15), (4, 12), (3, 10), (3, 10))),
]
