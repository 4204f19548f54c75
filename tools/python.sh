# Which Python .venv is made of; read by tools/venv.sh.

# Each Python that will do, as "version hundredths-of-a-millisecond path": how long a fixed piece of work takes it.
# A Python that was built without profile-guided optimisation, as pyenv builds them, takes half as long again.
pythons() {
  # Run each: a name on the path may be a shim that leads nowhere, or a Python without what venv needs.
  probe='
import sys, time, ensurepip, venv
class Item:
    def __init__(self, place): self.place = place
    def double(self): return self.place + self.place
def work():
    found = {}
    for place in range(20000):
        item = Item(place)
        found["%d" % (place % 100)] = (item.double(), len(found))
times = []
for _ in range(5):
    began = time.process_time(); work(); times.append(time.process_time() - began)
print(sys.version_info[0] * 1000 + sys.version_info[1], round(min(times) * 100000), sys.executable)'
  for folder in '' /usr/local/bin/ /usr/bin/; do
    for name in python3 python3.15 python3.14 python3.13 python3.12 python3.11; do
      "$folder$name" -c "$probe" 2>/dev/null || continue
    done
  done
}

# Of such lines the path of the newest, but for those that take a fifth longer than another; nothing without any.
best_python() {
  awk '
    $1 >= 3011 && $1 < 4000 { version[++count] = $1; took[count] = $2; path[count] = substr($0, index($0, $3))
      if (count == 1 || $2 < least) least = $2 }
    END { for (one = 1; one <= count; one++)
      if (took[one] <= least * 1.2 && (best == "" || version[one] > version[best])) best = one
      if (best != "") print path[best] }'
}
