package PVE::Multipath::CLI::Candidates;

# pvemultipath candidates: LUNs that a node sees and that are not on the allow-list.

use v5.36;

use PVE::Multipath::CLI::Output qw(terminal_width print_result plural);
use PVE::Multipath::Candidates;
use PVE::Multipath::Daemon;
use PVE::Multipath::Maps;
use PVE::Multipath::Node;
use PVE::Multipath::Text qw(safe width wrap size shrink table table_width);

my $EXIT_DONE = 0;

# In less, a column cannot be read.
my $LEAST_WIDTH = 12;

my $kinds = {
    cd => 'CD or DVD drive',
    'local-disk' => 'local disk',
    'native-nvme' => 'NVMe of the kernel',
    'in-use' => 'in use',
    blacklisted => 'blacklisted',
    'missing-property' => 'blacklisted',
    'no-wwid' => 'without WWID',
    'invalid-wwid' => 'without WWID',
    contradictory => 'without WWID',
    'no-answer' => 'not known to multipathd',
    'not-monitored' => 'not known to multipathd',
    empty => 'without capacity',
};

# What is no WWID of multipathd stands in parentheses.
my sub name_of($candidate) {
    return $candidate->{wwid} if defined($candidate->{wwid});
    my $name = $candidate->{'udev-wwid'} // join(',', $candidate->{devs}->@*);
    return "($name)";
}

my sub cells($candidate) {
    my $protocol = $candidate->{transport} // $candidate->{protocol} // '-';
    my @device = grep { defined } $candidate->@{qw(vendor product serial)};
    return map { safe($_) } (
        name_of($candidate),
        size($candidate->{size}),
        $candidate->{paths},
        $protocol =~ s/\A(?:scsi:unspec|undef)\z/-/r,
        join(' ', @device) || '-',
        join('; ', $candidate->{told}->@*),
    );
}

my sub offer_lines($candidates, $width) {
    my @rows = map { [cells($_)] } @$candidates;
    my @titles = ('WWID', 'SIZE', 'PATHS', 'VIA', 'DISK', 'NOTES');
    my $columns = [
        map {
            my $i = $_;
            { title => $titles[$i], cells => [map { $_->[$i] } @rows] }
        } 0 .. $#titles
    ];
    # a line for each; what does not fit is in the JSON
    my $told = pop(@$columns)->{cells};
    my $left = $width - table_width($columns) - 2;
    if ($left >= $LEAST_WIDTH) {
        my $cut = sub($text) {
            return width($text) <= $left ? $text : substr($text, 0, $left - 3) . '...';
        };
        my $last = { title => $titles[-1], cells => [map { $cut->($_) } @$told] };
        return table([@$columns, $last]);
    }
    # no room beside the others
    shrink($columns, $width, 8);
    my @below = map { length($told->[$_]) ? "$rows[$_]->[0]: $told->[$_]" : () } keys @$told;
    return (
        table($columns),
        @below ? ('', map { wrap($_, $width, '    ') } @below) : (),
    );
}

my sub summary($others) {
    my %count;
    $count{ $kinds->{ $_->{reason}->{code} } // 'for another reason' }++ for @$others;
    my @counts = map { "$count{$_} $_" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
    return join(', ', @counts);
}

my sub lines($found, $all) {
    my $width = terminal_width();
    my $wrap = sub($text) { wrap(safe($text), $width, '    ') };
    my @offered = grep { $_->{offered} } $found->{candidates}->@*;
    my @others = grep { !$_->{offered} } $found->{candidates}->@*;

    my @lines = @offered ? offer_lines(\@offered, $width) : 'No LUNs to add to the allow-list.';
    if (@others && $all) {
        push @lines, '', 'Not offered:', '';
        for my $candidate (@others) {
            my ($name, $size, undef, undef, $device, $told) = cells($candidate);
            my $devs = join(', ', map { safe($_) } $candidate->{devs}->@*);
            push @lines, wrap("$name  $size  $device ($devs): $told", $width, '    ');
        }
    } elsif (@others) {
        push @lines, '', $wrap->('Not offered: ' . summary(\@others) . '. Use --all to see why.');
    }
    push @lines, '', $wrap->(plural($found->{omitted}, 'more device') . ' left out: there are too many.')
        if $found->{omitted};
    push @lines, '', $wrap->("Use 'pvemultipath wwid add WWID' to add one to the cluster's allow-list.")
        if @offered;
    return @lines;
}

sub run($source, $opts) {
    my ($node, $config);
    if (defined($source)) {
        ($node, $config) = ($source->node($opts->{node}), $source->config());
    } else {
        PVE::Multipath::Daemon::assert_supported();
        ($node, $config) = (PVE::Multipath::Node->live(), PVE::Multipath::Maps::known_config());
    }
    my $found = PVE::Multipath::Candidates::list($node, $config);
    print_result($opts, $found, sub() {
        warn $_ for $found->{warnings}->@*;
        return lines($found, $opts->{all});
    });
    return $EXIT_DONE;
}

1;
