#!/usr/bin/perl

# Help: each command has its own complete page, which is a part of the manual page.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max);
use Test::More;

use MultipathTest qw($root slurp cli);

my @pages = slurp("$root/perl/bin/pvemultipath") =~ m/^=head2 (.+)$/mg;
is_deeply(
    [sort @pages],
    [sort(
        qw(status maps candidates doctor metrics accept-paths config problems check wwid plan apply record),
        'wwid add', 'wwid set', 'wwid remove',
    )],
    'a page for each command',
);

my sub page_of(@words) {
    my $res = cli([@words]);
    is_deeply([$res->@{qw(code err)}], [0, ''], "@words");
    return $res->{out};
}

for my $name (@pages) {
    my @words = split(/ /, $name);
    my $page = page_of(@words, '--help');
    like($page, qr/\A  pvemultipath \Q$name\E(?: |$)/m, 'says how it is used');
    is(page_of(@words, '-h'), $page, 'the short option');
    is(page_of('help', @words), $page, 'help, and its name');
    like($page, qr/^Options of all commands:\n\n  --replay DIR$/m, 'the options that all have');
    unlike($page, qr/[BCIF]<|[^\n -~]/, 'no markup is left');
    next if $name eq 'wwid';

    like($page, qr/^  Exit status: 0 /m, 'the exit status');
    my @examples = $page =~ m/^      (pvemultipath .+)$/mg;
    ok(scalar(@examples), 'an example');
    for my $example (@examples) {
        my (undef, @args) = split(/ /, $example =~ s/ [<>].*//r);
        is_deeply([@args[0 .. $#words]], \@words, 'which is one of it');
        is(cli([@args, '--help'])->{code}, 0, $example);
    }
    my @others = grep { $_ ne $name && $name !~ m/^wwid/ } @pages;
    unlike($page, qr/^  pvemultipath (?:@{[join('|', @others)]})\b/m, 'and nothing of others') if @others;
}

# arguments make no difference
is(page_of('wwid', 'remove', '3600a', '--force', '--help'), page_of('help', 'wwid', 'remove'), 'with arguments');

# knobs are in the pages of those that take them
like(page_of(@$_, '--help'), qr/^Knobs:$/m, 'has the knobs') for ['wwid', 'add'], ['wwid', 'set'];
unlike(page_of(@$_, '--help'), qr/^Knobs:$/m, 'has none') for ['wwid'], ['wwid', 'remove'], ['status'];

# what there is
my $all = page_of('--help');
is(page_of(@$_), $all, 'the same') for ['help'], ['-h'], ['help', '--help'];
like($all, qr/^  \Q$_\E$/m, $_) for qw(status maps candidates doctor metrics accept-paths config problems check plan apply record);
like($all, qr/^  wwid add, wwid set, wwid remove$/m, 'wwid');

# widths
cmp_ok(max(map { length } split(/\n/, cli(['status', '--help'], COLUMNS => $_)->{out})), '<=', $_, "$_ columns")
    for 60, 80, 100;

for (
    [['help', 'frobnicate'], qr/unknown command 'frobnicate'\ntry 'pvemultipath --help'/],
    [['help', 'wwid', 'frobnicate'], qr/unknown command 'wwid frobnicate', known are: wwid add, /],
    [['help', 'status', 'maps'], qr/unexpected argument 'maps'/],
    [['wwid', 'set', '--frobnicate'], qr/Unknown option: frobnicate\ntry 'pvemultipath wwid set --help'/],
    [['maps', '--explain', 'x'], qr/Unknown option: explain\ntry 'pvemultipath maps --help'/],
    [['wwid'], qr/'wwid' needs a subcommand: wwid add, wwid remove, wwid set\ntry 'pvemultipath wwid --help'/],
) {
    my ($args, $message) = @$_;
    my $res = cli($args);
    is_deeply([$res->@{qw(code out)}], [3, ''], "@$args: 3");
    like($res->{err}, qr/\Aerror: $message/, 'with an error message');
}

done_testing();
