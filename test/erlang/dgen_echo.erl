%% The Erlang side of the tests with a real node: a gen_server that answers, calls back, links and monitors as told.
-module(dgen_echo).
-behaviour(gen_server).
-export([start/0, init/1, handle_call/3, handle_cast/2, handle_info/2]).

start() ->
    {ok, _} = gen_server:start({local, echo}, ?MODULE, [], []),
    io:format("ready~n").

init([]) ->
    process_flag(trap_exit, true),
    {ok, []}.

handle_call({echo, Term}, _From, State) ->
    {reply, Term, State};
handle_call({describe, Term}, _From, State) ->
    {reply, unicode:characters_to_binary(io_lib:format("~0tp", [Term])), State};
handle_call({call, To, Request}, From, State) ->
    spawn(fun() -> gen_server:reply(From, outcome(fun() -> gen_server:call(To, Request, 3000) end)) end),
    {noreply, State};
handle_call({ping, Node}, From, State) ->
    spawn(fun() -> gen_server:reply(From, net_adm:ping(Node)) end),
    {noreply, State};
handle_call({ping_in, Milliseconds, Node}, _From, State) ->
    spawn(fun() -> timer:sleep(Milliseconds), echo ! {pinged, net_adm:ping(Node)} end),
    {reply, ok, State};
handle_call({rpc, Node}, From, State) ->
    spawn(fun() -> gen_server:reply(From, outcome(fun() -> rpc:call(Node, erlang, node, [], 3000) end)) end),
    {noreply, State};
handle_call({monitor, Target}, _From, State) ->
    erlang:monitor(process, Target),
    {reply, ok, State};
handle_call({link, Pid}, _From, State) ->
    {reply, link(Pid), State};
handle_call({unlink, Pid}, _From, State) ->
    {reply, unlink(Pid), State};
handle_call({exit, Pid, Reason}, _From, State) ->
    {reply, exit(Pid, Reason), State};
handle_call(seen, _From, State) ->
    {reply, lists:reverse(State), []};
handle_call(victim, _From, State) ->
    {reply, spawn(fun() -> receive {stop, Reason} -> exit(Reason) end end), State};
handle_call(nodes, _From, State) ->
    {reply, {nodes(), nodes(hidden)}, State}.

handle_cast({note, Term}, State) ->
    {noreply, [{cast, Term} | State]}.

handle_info(Info, State) ->
    {noreply, [Info | State]}.

outcome(Fun) ->
    try {ok, Fun()} catch _:Reason -> {error, Reason} end.
