def make(*a): return []
def prove(*a): return []
def write(*a): pass
