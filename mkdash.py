import json
DS={"type":"prometheus","uid":"${datasource}"}
SEL='job=~"$job",instance=~"$instance"'
panels=[]; y=0; nid=1
def target(expr,legend='',instant=False,fmt='time_series'):
    return {"datasource":DS,"editorMode":"code","expr":expr,"legendFormat":legend or "__auto","range":not instant,"instant":instant,"format":fmt}
def add(kind,title,targets,x,w,h,unit='short',desc='',options=None,custom=None,thresholds=None,mappings=None,overrides=None,stack=False,decimals=None):
    global nid
    for i,t in enumerate(targets): t['refId']=chr(65+i)
    d={"unit":unit,"mappings":mappings or [],"thresholds":{"mode":"absolute","steps":thresholds or [{"color":"green","value":None}]}}
    if decimals is not None: d["decimals"]=decimals
    if kind=='timeseries':
        d["color"]={"mode":"palette-classic"}
        d["custom"]={"drawStyle":"line","lineWidth":1,"fillOpacity":20 if stack else 5,"showPoints":"never","stacking":{"mode":"normal" if stack else "none","group":"A"},**(custom or {})}
        options=options or {"legend":{"displayMode":"list","placement":"bottom","showLegend":True},"tooltip":{"mode":"multi","sort":"desc"}}
    elif kind=='stat':
        d["color"]={"mode":"thresholds"}
        options=options or {"colorMode":"background","graphMode":"none","justifyMode":"auto","orientation":"auto","reduceOptions":{"calcs":["lastNotNull"],"fields":"","values":False},"textMode":"value_and_name"}
    elif kind=='heatmap':
        options={"calculate":False,"cellGap":1,"color":{"mode":"scheme","scheme":"Oranges","steps":64,"exponent":0.5},"yAxis":{"unit":unit},"rowsFrame":{"layout":"auto"},"tooltip":{"show":True,"yHistogram":False},"legend":{"show":True}}
        d={"custom":{}}
    panels.append({"id":nid,"type":kind,"title":title,"description":desc,"datasource":DS,"gridPos":{"x":x,"y":y,"w":w,"h":h},"fieldConfig":{"defaults":d,"overrides":overrides or []},"options":options or {},"targets":targets})
    nid+=1
def row(title):
    global nid,y
    panels.append({"id":nid,"type":"row","title":title,"collapsed":False,"gridPos":{"x":0,"y":y,"w":24,"h":1},"panels":[]}); nid+=1; y+=1
RED=[{"color":"green","value":None},{"color":"red","value":1}]
row("The next launch")
add("stat","Next launch",[target('min by (site, rule) (onsale_next_due_timestamp_seconds{%s,site=~"$site"}) * 1000'%SEL,"{{site}} · {{rule}}",True)],0,6,6,"dateTimeFromNow","When the next notice of each rule is due")
add("stat","Held",[target('sum by (site, rule, reason) (onsale_notices_held{%s,site=~"$site"})'%SEL,"{{site}} · {{rule}}: {{reason}}",True),target('sum(onsale_notices{%s,site=~"$site",state="held"})'%SEL,"all",True)],6,4,6,"short","Waits for a person, or for a cause to pass: onsale show NOTICE",thresholds=RED)
add("stat","Will not fit",[target('sum(onsale_notices_not_fitting{%s,site=~"$site"})'%SEL,"notices",True)],10,3,6,thresholds=[{"color":"green","value":None},{"color":"orange","value":1}],desc="Will take longer than finish_within of their rule")
add("stat","Danger",[target('max(%s{%s})'%(n,SEL),l,True) for n,l in (("onsale_copy","copy"),("onsale_disk_full","disk"),("onsale_store_failing","store"),("onsale_clock_frozen","clock"),("onsale_pauses","pauses"))],13,5,6,thresholds=RED,mappings=[{"type":"value","options":{"0":{"text":"no","index":0}}}])
add("stat","Notifiers",[target('max by (notifier, state) (onsale_notifier_state{%s}) == 1'%SEL,"{{notifier}}: {{state}}",True)],18,6,6,options={"colorMode":"background","graphMode":"none","reduceOptions":{"calcs":["lastNotNull"],"fields":"","values":False},"textMode":"name"},overrides=[{"matcher":{"id":"byRegexp","options":".*: (broken|failing)"},"properties":[{"id":"color","value":{"mode":"fixed","fixedColor":"red"}}]},{"matcher":{"id":"byRegexp","options":".*: (waiting|trying)"},"properties":[{"id":"color","value":{"mode":"fixed","fixedColor":"orange"}}]}])
y+=6
row("Telling people")
add("timeseries","Fates a second",[target('sum by (notifier, fate) (rate(onsale_fates_total{%s}[$__rate_interval]))'%SEL,"{{notifier}} {{fate}}"),target('sum by (notifier) (onsale_notifier_rate_limit{%s})'%SEL,"{{notifier}} limit")],0,12,8,"ops","What went to disk, and what the configured rates allow",overrides=[{"matcher":{"id":"byRegexp","options":".* limit"},"properties":[{"id":"custom.lineStyle","value":{"fill":"dash","dash":[8,8]}},{"id":"custom.fillOpacity","value":0}]}])
add("heatmap","Lateness",[target('sum by (le) (increase(onsale_handover_late_seconds_bucket{%s}[$__rate_interval]))'%SEL,"{{le}}",fmt="heatmap")],12,12,8,"s","From the due time to the last byte of each message")
y+=8
add("timeseries","Waiting and in flight",[target('sum by (notifier) (onsale_notifier_waiting{%s})'%SEL,"{{notifier}} waiting"),target('sum by (notifier) (onsale_notifier_claimed{%s})'%SEL,"{{notifier}} claimed"),target('sum by (notifier) (onsale_notifier_in_flight{%s})'%SEL,"{{notifier}} in flight"),target('sum by (notifier) (onsale_notifier_window{%s})'%SEL,"{{notifier}} window")],0,12,8,desc="Claimed ones would be in doubt after a crash")
add("timeseries","People by fate",[target('sum by (fate) (onsale_people{%s,site=~"$site"})'%SEL,"{{fate}}")],12,6,8,stack=True,desc="Of the ledger, over all notices that are alive or ended lately")
add("timeseries","Withheld, by why",[target('sum by (reason) (increase(onsale_withheld_total{%s}[$__rate_interval]))'%SEL,"{{reason}}")],18,6,8,stack=True)
y+=8
add("timeseries","Late: median, 99th",[target('histogram_quantile(%s, sum by (notifier, le) (rate(onsale_handover_late_seconds_bucket{%s}[$__rate_interval])))'%(q,SEL),"{{notifier}} %s"%q) for q in ("0.5","0.99")],0,8,7,"s")
add("timeseries","Answers of receivers: median, 99th",[target('histogram_quantile(%s, sum by (notifier, le) (rate(onsale_answer_seconds_bucket{%s}[$__rate_interval])))'%(q,SEL),"{{notifier}} %s"%q) for q in ("0.5","0.99")],8,8,7,"s")
add("timeseries","Brakes, bounces, suppressions",[target('sum by (notifier) (increase(onsale_notifier_brakes_total{%s}[$__rate_interval]))'%SEL,"brake {{notifier}}"),target('sum by (kind) (increase(onsale_bounces_total{%s}[$__rate_interval]))'%SEL,"bounce: {{kind}}"),target('sum by (reason) (increase(onsale_suppressions_total{%s}[$__rate_interval]))'%SEL,"suppressed: {{reason}}"),target('sum(onsale_writebacks{%s})'%SEL,"unsubscribes that tools have not heard of")],16,8,7)
y+=7
row("Gate and source")
add("timeseries","Gate: asked to answered",[target('histogram_quantile(%s, sum by (site, le) (rate(onsale_gate_seconds_bucket{%s,site=~"$site"}[$__rate_interval])))'%(q,SEL),"{{site}} %s"%q) for q in ("0.5","0.99")],0,8,7,"s")
add("timeseries","Gate: decisions",[target('sum by (site, action) (increase(onsale_gate_decisions_total{%s,site=~"$site"}[$__rate_interval]))'%SEL,"{{site}} {{action}}"),target('sum by (site, word) (increase(onsale_gate_words_total{%s,site=~"$site",word!="open"}[$__rate_interval]))'%SEL,"{{site}}: {{word}}")],8,8,7)
add("timeseries","Since the last good walk",[target('max by (site) (onsale_site_stale_seconds{%s,site=~"$site"})'%SEL,"{{site}}"),target('max by (site) (onsale_site_clock_ahead_seconds{%s,site=~"$site"})'%SEL,"{{site}}: our clock ahead")],16,8,7,"s")
y+=7
add("timeseries","Requests to others",[target('sum by (to, name, outcome) (rate(onsale_requests_total{%s}[$__rate_interval]))'%SEL,"{{to}} {{name}} {{outcome}}")],0,8,7,"reqps",stack=True)
add("timeseries","Requests to others: 95th",[target('histogram_quantile(0.95, sum by (to, name, le) (rate(onsale_request_seconds_bucket{%s}[$__rate_interval])))'%SEL,"{{to}} {{name}}")],8,8,7,"s")
add("timeseries","Readings of audiences",[target('sum by (rule, outcome) (increase(onsale_gatherings_total{%s}[$__rate_interval]))'%SEL,"{{rule}} {{outcome}}"),target('sum by (audience) (rate(onsale_audience_records_total{%s}[$__rate_interval]))'%SEL,"{{audience}} records/s"),target('sum by (audience) (increase(onsale_audience_bad_records_total{%s}[$__rate_interval]))'%SEL,"{{audience}} bad")],16,8,7)
y+=7
add("timeseries","Hooks: what comes in",[target('sum by (kind, name, outcome) (rate(onsale_hooks_total{%s}[$__rate_interval]))'%SEL,"{{kind}} {{name}} {{outcome}}")],0,12,7,"reqps")
add("timeseries","Webhooks: what goes out",[target('sum by (webhook) (onsale_webhooks_waiting{%s})'%SEL,"{{webhook}} waiting"),target('sum by (name, outcome) (rate(onsale_requests_total{%s,to="webhook"}[$__rate_interval]))'%SEL,"{{name}} {{outcome}}/s"),target('max by (webhook) (onsale_webhooks_disabled{%s})'%SEL,"{{webhook}} disabled")],12,12,7)
y+=7
add("timeseries","Calendars: fetches by form",[target('sum by (form) (rate(onsale_feed_fetches_total{%s}[$__rate_interval]))'%SEL,"{{form}}")],0,12,7,"reqps",stack=True)
y+=7
row("Store and health")
add("timeseries","Commits: median, 99th",[target('histogram_quantile(%s, sum by (instance, le) (rate(onsale_store_commit_seconds_bucket{%s}[$__rate_interval])))'%(q,SEL),"{{instance}} %s"%q) for q in ("0.5","0.99")],0,8,7,"s")
add("timeseries","Store: jobs, commits/s",[target('onsale_store_jobs{%s}'%SEL,"{{instance}} jobs"),target('rate(onsale_store_commit_seconds_count{%s}[$__rate_interval])'%SEL,"{{instance}} commits/s")],8,8,7)
add("timeseries","Room on disk",[target('onsale_store_room_bytes{%s}'%SEL,"{{instance}} room"),target('2 * onsale_store_reserve_bytes{%s}'%SEL,"{{instance}} wanted to read people")],16,8,7,"bytes")
y+=7
add("timeseries","Loop: busy share, 99th turn",[target('rate(onsale_loop_turn_seconds_sum{%s}[$__rate_interval])'%SEL,"{{instance}} busy"),target('histogram_quantile(0.99, sum by (instance, le) (rate(onsale_loop_turn_seconds_bucket{%s}[$__rate_interval])))'%SEL,"{{instance}} turn, s")],0,8,7,"short")
add("timeseries","HTTP: requests by door and code",[target('sum by (route, code) (rate(onsale_http_requests_total{%s}[$__rate_interval]))'%SEL,"{{route}} {{code}}")],8,8,7,"reqps",stack=True)
add("timeseries","HTTP: connections",[target('onsale_http_connections{%s}'%SEL,"{{instance}} {{socket}}"),target('onsale_http_streams{%s}'%SEL,"{{instance}} streams")],16,8,7)
y+=7
add("timeseries","Processor",[target('rate(process_cpu_seconds_total{%s}[$__rate_interval])'%SEL,"{{instance}}")],0,8,7,"percentunit")
add("timeseries","Memory",[target('process_resident_memory_bytes{%s}'%SEL,"{{instance}}")],8,8,7,"bytes")
add("stat","Checks of health",[target('max by (check) (onsale_health{%s,question="ready"})'%SEL,"{{check}}",True)],16,8,7,thresholds=[{"color":"green","value":None},{"color":"orange","value":1},{"color":"red","value":2}],mappings=[{"type":"value","options":{"0":{"text":"pass"},"1":{"text":"warn"},"2":{"text":"fail"}}}])
y+=7
def var(name,label,query):
    return {"name":name,"label":label,"type":"query","datasource":DS,"query":{"query":query,"refId":name},"definition":query,"refresh":2,"includeAll":True,"multi":True,"allValue":".*","current":{"selected":True,"text":["All"],"value":["$__all"]},"sort":1,"hide":0,"options":[],"regex":"","skipUrlSync":False}
dash={"uid":"onsale","title":"Onsale","description":"Launches of ticket sales: when the next one is, how they go, and whether the daemon is well.","tags":["onsale"],"timezone":"browser","schemaVersion":38,"version":1,"editable":True,"graphTooltip":1,"refresh":"15s","time":{"from":"now-3h","to":"now"},
"templating":{"list":[{"name":"datasource","label":"Prometheus","type":"datasource","query":"prometheus","refresh":1,"hide":0,"includeAll":False,"multi":False,"options":[],"regex":"","current":{},"skipUrlSync":False},
 var("job","Job","label_values(onsale_build_info, job)"),var("instance","Daemon",'label_values(onsale_build_info{job=~"$job"}, instance)'),var("site","Site",'label_values(onsale_notices{job=~"$job",instance=~"$instance"}, site)')]},
"annotations":{"list":[{"builtIn":1,"datasource":{"type":"grafana","uid":"-- Grafana --"},"enable":True,"hide":True,"iconColor":"rgba(0, 211, 255, 1)","name":"Annotations & Alerts","type":"dashboard"},
 {"name":"Openings","datasource":DS,"enable":True,"iconColor":"orange","expr":'changes(onsale_next_due_timestamp_seconds{%s}[1m]) > 0'%SEL,"step":"30s","titleFormat":"The next launch is another","textFormat":"{{site}} {{rule}}"},
 {"name":"Starts","datasource":DS,"enable":True,"iconColor":"blue","expr":'changes(process_start_time_seconds{%s}[1m]) > 0'%SEL,"step":"30s","titleFormat":"The daemon started","textFormat":"{{instance}}"}]},
"links":[],"panels":panels}
open('conf/grafana/onsale.json','w').write(json.dumps(dash,indent=1,ensure_ascii=False)+'\n')
