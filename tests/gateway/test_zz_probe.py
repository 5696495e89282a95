import requests
def test_probe(gateway_url):
    r=requests.post(gateway_url+"/v1/chat",timeout=5); print("LEFT", r.headers["x-ratelimit-remaining"])
    raise SystemError
