import redis, time
from tests.gateway.conftest import CHAT, Payer
from studio.accounts.services import revoke_app_key
def test_probe(payer, server_facts):
    r = redis.Redis.from_url(server_facts.redis_url)
    for i in range(3):
        t=time.time(); x=payer.post(json=CHAT); print(x.status_code, time.time()-t, x.headers)
        print(r.keys("*"), [ (k, r.pttl(k)) for k in r.keys("caller:*")])
    revoke_app_key(app_key_id=payer.app_key_id)
    t=time.time()
    while payer.post(json=CHAT).status_code==200: time.sleep(.1)
    print("revoked after", time.time()-t)
    raise SystemError
