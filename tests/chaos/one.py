import sys, time
from pathlib import Path
from tests.chaos.ground import build_ground
from tests.chaos.plan import make_plan
from tests.chaos.storm import run_plan
kind=sys.argv[1]; first=int(sys.argv[2]); n=int(sys.argv[3])
t=time.time(); g=build_ground(kind, Path("/tmp/chaos/ground")); print("ground", time.time()-t)
for seed in range(first, first+n):
    p=make_plan(seed, kind)
    if any(k=="postgresql" for k in p.stores.values()): print(seed,"pg skip"); continue
    r=run_plan(p,g,Path(f"/tmp/chaos/seeds/{kind}-{seed}"),None)
    print(r.line, f"{r.seconds:.1f}s", r.counts if "-v" in sys.argv else "")
    from collections import Counter
    c=Counter(f.rule for f in r.findings)
    shown=set()
    for f in r.findings:
        if f.rule in shown: continue
        shown.add(f.rule); print("   ", c[f.rule], str(f)[:1200])
