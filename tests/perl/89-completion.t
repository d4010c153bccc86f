#!/usr/bin/perl

# Bash completion of pvemultipath.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(uniq);
use Test::More;

use MultipathTest qw($root $replay slurp spew from_json copy_tree cli);

plan skip_all => 'there is no bash' if !-x '/bin/bash';

# The candidates for the last of these words.
my sub completed(@words) {
    my $script = <<'SH';
. "$1"; shift
pvemultipath() { "$PERL" "$PROGRAM" "$@"; }
COMP_WORDS=(pvemultipath "$@") COMP_CWORD=$#
_pvemultipath
printf '%s\n' "${COMPREPLY[@]}"
SH
    local @ENV{qw(PERL PROGRAM)} = ($^X, "$root/perl/bin/pvemultipath");
    open(my $fh, '-|', '/bin/bash', '-c', $script, 'bash', "$root/perl/bash-completion/pvemultipath", @words)
        or die "cannot execute bash - $!\n";
    my @found = <$fh>;
    chomp @found;
    return [grep { length } @found];
}


my sub is_completed($words, $want, $what) {
    is_deeply(completed(@$words), [sort @$want], $what);
    return;
}

# --- commands ---

# those of the manual
my @commands = uniq(map { s/ .*//r } slurp("$root/perl/bin/pvemultipath") =~ m/^=head2 (.+)$/mg);
is_completed([''], ['help', @commands], 'all commands that there are');
is_completed(['re'], ['record'], 'those that begin so');
is_completed(['wwid', ''], [qw(add remove set)], 'what can be done to a WWID');
is_completed(['help', ''], \@commands, 'what help tells of');
is_completed(['help', 'wwid', 's'], ['set'], 'in two words as well');
is_completed(['help', 'status', ''], [], 'and no more');
is_completed(['frobnicate', ''], [], 'nothing of what there is not');
is_completed(['-'], [qw(--help --version)], 'options without a command');

# --- options ---

# of one command: what its page names, and no others
my @common = qw(--help --version --replay --output-format);
is_completed(['metrics', '-'], [@common, qw(--cluster --format --output)], 'metrics');
is_completed(['config', '-'], [@common, '--wwid'], 'config');
is_completed(['metrics', '--format', 'o'], ['openmetrics'], 'a format');
is_completed(['status', '-'], [@common, qw(--watch --explain --problems --state --node --lun)], 'status');
is_completed(['status', '--state', 'm'], ['missing'], 'a state');
is_completed(['plan', '--'], [@common, '--node'], 'plan');
is_completed(['wwid', 'remove', 'x', '-'], [@common, qw(--digest --force)], 'wwid remove');
for my $command (@commands, 'wwid add', 'wwid set', 'wwid remove') {
    next if $command eq 'wwid';
    my %page = map { $_ => 1 } cli([split(/ /, $command), '--help'])->{out} =~ m/^ *(?:-h, |-V, )?(--[a-z-]+)/mg;
    is_completed([split(/ /, $command), '--'], [keys %page], "$command: those of its page");
}
is_completed(['plan', '--out'], ['--output-format'], 'that begin so');

# --- values ---

is_completed(['plan', '--output-format', 'json'], [qw(json json-pretty)], 'formats');
is_completed(['plan', '--output-format', '=', 'json-'], ['json-pretty'], 'behind an equals sign, as bash splits it');
is_completed(['plan', '--output-format', '='], [qw(text json json-pretty yaml)], 'right behind it');
is_completed(['problems', '--multipath-tools', ''], [qw(0.9.4 0.11.1 0.15.1)], 'versions');
is_completed(['wwid', 'set', 'x', '--rr-weight', ''], [qw(priorities uniform)], 'of a knob');
is_completed(['wwid', 'set', 'x', '--delete', 'rr-'], [qw(rr-min-io-rq rr-weight)], 'names of knobs');
is_completed(['wwid', 'set', 'x', '--alias', ''], [], 'nothing where anything may be');
is_deeply([map { s!.*/!!r } completed('status', '--replay', "$root/fixtures/repl")->@*], ['replay'], 'folders');
is_deeply([map { s!.*/!!r } completed('record', "$root/fixtures/repl")->@*], ['replay'], 'folders as arguments');
is_deeply([map { s!.*/!!r } completed('check', "$root/READ")->@*], ['README.md'], 'files');

# --- LUNs and nodes ---

my @three = ('--replay', "$replay/three-nodes");
my @configured = (
    (map { "35000c50000000${_}01" } 'a' .. 'f'), qw(san-a san-b san-d sas-f),
);
is_completed([qw(wwid set), @three, ''], \@configured, 'LUNs and aliases of the configuration');
is_completed([qw(wwid remove), @three, 'sa'], [qw(san-a san-b san-d sas-f)], 'that begin so');
is_completed(['config', @three, '--wwid', 'san-'], [qw(san-a san-b san-d)], 'as a value');
is_completed(['status', '--explain', ''], [], 'none where none are known');
is_completed([qw(wwid set), @three, 'san-a', ''], [], 'one is enough');
is_completed([qw(wwid add), @three, ''], ['35000c50000000701'], 'a new one that nodes see');
is_completed(['maps', @three, '--node', ''], [qw(pve1 pve2 pve3)], 'nodes of a recording');
is_completed(['maps', '--node', ''], [], 'and of nothing else');
is_completed(['status', '--replay', "$replay/standalone-iscsi", '--node', ''], ['pve'], 'nodes of the cluster');

my $dir = copy_tree('three-nodes');
spew("$dir/kv/multipath/pve1", '{"time":1795252490,"maps":{"3600reported":{"state":"optimal"},"3600$(id)":{"state":"optimal"}}}');
spew("$dir/multipath.cfg", "wwid: 3600a\n\talias a;b\n\nwwid: 3600b\n\talias ok-1\n\n");
my @configured_here = qw(3600a 3600b ok-1);
is_completed(['wwid', 'set', '--replay', $dir, '3600'], [qw(3600a 3600b)], 'not those that only nodes report');
is_completed(
    ['status', '--replay', $dir, '--explain', ''], [@configured_here, grep { m/^3(?:5|600reported)/ } keys {
        map { $_ => 1 } map { keys from_json(slurp($_))->{maps}->%* } grep { -s } glob("$dir/kv/multipath/pve[123]")
    }->%*],
    'those that nodes report as well, but nothing that a shell would run',
);
is_completed(['accept-paths', '--replay', $dir, '3600r'], ['3600reported'], 'accept-paths too');

done_testing();
